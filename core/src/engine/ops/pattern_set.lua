-- pattern_set: saves lists of queue patterns; workers that use them follow at once. What is not given stays.
--
-- args    JSON  identifiers  map    by name, each a list of at most 256 patterns; at most 256 names. Replaces all.
--               priorities   list   of at most 256 maps: patterns (list), fair (boolean, false). Replaces all.
-- reply   OK
-- errors  INVALID_ARGUMENT
-- keys    {ns}:patterns {ns}:meta {ns}:queues:wake
operation('pattern_set', 'grow', function(argv)
  local args = check.object(argv[3], 'args', { identifiers = true, priorities = true })
  patterns.write(args.identifiers, args.priorities)
  queues.changed()
  return 'OK'
end)
