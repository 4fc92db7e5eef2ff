-- queue_counts: how many jobs of a queue are in each state.
--
-- args    JSON  queue    text
-- reply   map   waiting scheduled blocked throttled running stalled recurring  integers; paused  boolean
--               stalled: the lease ran out and the job is not yet handed on; running: the others in hand
-- errors  INVALID_ARGUMENT
-- keys    {ns}:waiting:<q> {ns}:scheduled:<q> {ns}:blocked:<q> {ns}:throttled:<q> {ns}:running:<q> {ns}:lease:<token>:<q> {ns}:leases:<q>
--         {ns}:leased:<q> {ns}:grace:<q> {ns}:recurring:<q> {ns}:paused
operation('queue_counts', 'read', function(argv)
  local args = check.object(argv[3], 'args', { queue = true })
  return { map = queues.counts(check.name(args.queue, 'queue')) }
end)
