-- config_unset: puts a setting's default back; for a queue, what holds for all queues.
--
-- args    JSON  name     text     as in config_set
--               queue    text     for this queue only (heartbeat and grace-period)
-- reply   OK
-- errors  INVALID_ARGUMENT
-- keys    {ns}:config {ns}:meta
operation('config_unset', 'write', function(argv)
  local args = check.object(argv[3], 'args', { name = true, queue = true })
  config.write(check.name(args.name, 'name'), args.queue and check.name(args.queue, 'queue'), nil)
  return 'OK'
end)
