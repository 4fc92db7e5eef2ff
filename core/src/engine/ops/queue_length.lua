-- queue_length: how many jobs are in a queue, in whatever state; recurring jobs are not counted.
--
-- args    JSON  queue    text
-- reply   integer
-- errors  INVALID_ARGUMENT
-- keys    {ns}:waiting:<q> {ns}:scheduled:<q> {ns}:blocked:<q> {ns}:throttled:<q> {ns}:running:<q> {ns}:leased:<q> {ns}:grace:<q>
operation('queue_length', 'read', function(argv)
  local args = check.object(argv[3], 'args', { queue = true })
  return queues.length(check.name(args.queue, 'queue'))
end)
