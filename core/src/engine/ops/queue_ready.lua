-- queue_ready: the queues that are worth a reserve, whichever they are: what a worker of many asks before it asks them.
--
-- args    JSON  limit      integer  1..250 (250): most queues to name
--               within_ms  integer  0 or more (0): name those too where something comes due so soon
-- reply   map   queues  list of texts, in no order: where jobs may wait to be taken, or something is due (paused ones too)
--               more  there are more, or jobs that others let go are still to be freed, which any reserve does
--               queues_version  integer
--         Its cost is that of the answer. A queue that is not named, and not paused, has no job that could be taken.
-- errors  INVALID_ARGUMENT
-- keys    {ns}:ready {ns}:due {ns}:freeing
operation('queue_ready', 'read', function(argv)
  local args = check.object(argv[3], 'args', { limit = true, within_ms = true })
  local limit = args.limit and check.integer(args.limit, 'limit', 1, MAX_ITEMS) or MAX_ITEMS
  local found, more = queues.ready(limit, now + (args.within_ms and check.span(args.within_ms, 'within_ms') or 0))
  more = more or #call('ZRANGEBYSCORE', keys.freeing(), '-inf', now_text, 'LIMIT', '0', '1') > 0
  return { map = { queues = found, more = more, queues_version = queues.version() } }
end)
