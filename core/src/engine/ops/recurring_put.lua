-- recurring_put: from now on a job is put every interval; one for each that has passed, even when nobody looked. They are
-- called <jid>-1, <jid>-2 … (a number whose job exists is passed over) and name <jid> as their parent. A recurring job of
-- that jid is replaced, and counts on.
--
-- args    JSON  jid          text     1-235 bytes
--               queue        text
--               kind         text
--               data         text     JSON (null)
--               interval_ms  integer  1 or more
--               offset_ms    integer  until the first (0: now)
--               backlog      integer  of those missed, at most so many are put (0: all)
--               priority retries tags throttles route headers timeout_ms backoff_ms  of the jobs, as in queue_put
-- reply   OK
-- errors  INVALID_ARGUMENT
-- keys    {ns}:template:<jid> {ns}:recurring:<q> {ns}:due {ns}:queues {ns}:wake:<q>
local KNOWN = put_options.known({ jid = true, offset_ms = true }, recurring.SETTINGS)

operation('recurring_put', 'grow', function(argv)
  local args = check.object(argv[3], 'args', KNOWN)
  local template = recurring.parse(args)
  template.jid = recurring.jid(args.jid)
  check.name(args.queue, 'queue')
  check.name(args.kind, 'kind')
  check.integer(args.interval_ms, 'interval_ms', 1, check.LONGEST_MS)
  template.next_at = now + check.span(args.offset_ms or 0, 'offset_ms')
  template.data, template.backlog, template.paused = template.data or 'null', template.backlog or 0, false
  local old = recurring.load(template.jid)
  template.count = old and old.count or 0
  recurring.move(template, old and old.queue)
  return 'OK'
end)
