-- pattern_get: the saved lists of queue patterns.
--
-- args    none
-- reply   map   identifiers  by name, each a list of patterns (@name stands for it); priorities  list of lists of patterns,
--               each with whether its queues are served evenly: maps of patterns and fair
-- errors  INVALID_ARGUMENT
-- keys    {ns}:patterns
operation('pattern_get', 'read', function(argv)
  check.object(argv[3], 'args', {})
  return patterns.read()
end)
