-- config_all: every setting.
--
-- args    JSON  unit     text     's' or 'ms' for spans ('ms')
-- reply   map   values  what is in force by name, test-clock an instant in ms or off; defaults  by name;
--               queues  by queue, what it has of its own by name
-- errors  INVALID_ARGUMENT
-- keys    {ns}:config {ns}:meta
operation('config_all', 'read', function(argv)
  local args = check.object(argv[3], 'args', { unit = true })
  return config.read_all(args.unit)
end)
