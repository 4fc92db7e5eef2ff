-- config_get: a setting in force.
--
-- args    JSON  name     text     heartbeat grace-period jobs-history jobs-history-count stats-history max-worker-age
--                                 max-data events test-clock
--               queue    text     the queue's own value, else that of all queues (heartbeat and grace-period only)
--               unit     text     's' or 'ms' for spans ('ms')
-- reply   the number; events: tracked or all; test-clock: an instant in ms, or off
-- errors  INVALID_ARGUMENT
-- keys    {ns}:config {ns}:meta
operation('config_get', 'read', function(argv)
  local args = check.object(argv[3], 'args', { name = true, queue = true, unit = true })
  return config.read(check.name(args.name, 'name'), args.queue and check.name(args.queue, 'queue'), args.unit)
end)
