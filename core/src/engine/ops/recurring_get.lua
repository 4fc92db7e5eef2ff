-- recurring_get: a recurring job.
--
-- args    JSON  jid      text
-- reply   map   jid kind queue data interval_ms backlog count (jobs put so far) paused next_at_ms (null when paused)
--               priority retries tags throttles route headers timeout_ms backoff_ms; nil when there is none
-- errors  INVALID_ARGUMENT
-- keys    {ns}:template:<jid>
operation('recurring_get', 'read', function(argv)
  local args = check.object(argv[3], 'args', { jid = true })
  local template = recurring.load(check.name(args.jid, 'jid'))
  return template and recurring.view(template) or nil
end)
