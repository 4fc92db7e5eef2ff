-- sweep: one bounded step of what happens even when no worker asks: leases and graces end, scheduled
-- jobs become due, old completed jobs, workers and kinds are forgotten.
--
-- args    JSON  limit    integer  1..100 jobs (100)
-- reply   map   moved trimmed  integers; next_due_ms  ms until something is due, or null
-- errors  INVALID_ARGUMENT
-- keys    {ns}:due {ns}:grace:<q> {ns}:running:<q> {ns}:lease:<token>:<q> {ns}:leases:<q> {ns}:leased:<q> {ns}:scheduled:<q>
--         {ns}:waiting:<q> {ns}:completed {ns}:job:<jid> {ns}:history:<jid> {ns}:failure:<jid> {ns}:failed:<group> {ns}:failures
--         {ns}:worker-jobs:<name> {ns}:worker-leases:<name> {ns}:wake:<q> {ns}:stats:<day>:<q>
operation('sweep', 'write', function(argv)
  local args = check.object(argv[3], 'args', { limit = true })
  local limit = check.integer(args.limit or MAX_SWEEP, 'limit', 1, MAX_SWEEP)
  state.begin()
  local moved, trimmed = sweep.step(limit)
  local head = call('ZRANGE', keys.due(), '0', '0', 'WITHSCORES')
  local next_due = head[2] and max(0, tonumber(head[2]) - now) or null
  return { map = { moved = moved, trimmed = trimmed, next_due_ms = next_due } }
end, function(reply)
  reply.map.next_due_ms = reply.map.next_due_ms or null -- which the once-record cannot keep
  return reply
end)
