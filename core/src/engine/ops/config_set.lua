-- config_set: changes a setting, or puts its default back.
--
-- args    JSON  name     text     heartbeat (60 s; 100 ms to a day) grace-period (10 s; 0 to a day) jobs-history (7 days, at least 60 s)
--                                 jobs-history-count (50,000; a thousandth more may be there) stats-history (30 days, at least one)
--                                 max-worker-age (a day; workers silent for longer are forgotten)
--                                 events (tracked: those of tracked jobs; all: of all jobs, and kept in the stream {ns}:events)
--                                 max-data (1,048,576 bytes, at most that)
--                                 test-clock (an instant in ms that every call then takes for now, or off)
--               value    number, or text for events; null: the default again
--               queue    text     for this queue only (heartbeat and grace-period)
--               unit     text     's' or 'ms' for spans ('ms')
-- reply   OK
-- errors  INVALID_ARGUMENT
-- keys    {ns}:config {ns}:meta
operation('config_set', 'write', function(argv)
  local args = check.object(argv[3], 'args', { name = true, value = true, queue = true, unit = true })
  config.write(check.name(args.name, 'name'), args.queue and check.name(args.queue, 'queue'), args.value, args.unit)
  return 'OK'
end)
