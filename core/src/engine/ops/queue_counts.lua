-- queue_counts: how many jobs of a queue are in each state.
--
-- args    JSON  queue    text
-- reply   map   waiting scheduled blocked throttled running stalled recurring  integers; paused  boolean
--               stalled: the lease ran out and the job is not yet handed on; running: the others in hand
-- errors  INVALID_ARGUMENT
-- keys    {ns}:waiting:<q> {ns}:scheduled:<q> {ns}:blocked:<q> {ns}:throttled:<q> {ns}:running:<q> {ns}:grace:<q>
--         {ns}:recurring:<q> {ns}:paused
operation('queue_counts', 'read', function(argv)
  local args = check.object(argv[3], 'args', { queue = true })
  local queue = check.name(args.queue, 'queue')
  local expired = call('ZCOUNT', keys.running(queue), '-inf', now_text)
  return {
    map = {
      waiting = call('ZCARD', keys.waiting(queue)),
      scheduled = call('ZCARD', keys.scheduled(queue)),
      blocked = call('ZCARD', keys.blocked(queue)),
      throttled = call('ZCARD', keys.throttled(queue)),
      running = call('ZCARD', keys.running(queue)) - expired,
      stalled = call('ZCARD', keys.grace(queue)) + expired,
      recurring = call('ZCARD', keys.recurring(queue)),
      paused = call('SISMEMBER', keys.paused(), queue) == 1,
    },
  }
end)
