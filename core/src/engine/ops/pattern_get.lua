-- pattern_get: the saved lists of queue patterns.
--
-- args    none
-- reply   map   identifiers  by name, each a list of patterns (@name stands for it); priorities  list of maps: patterns,
--               fair (whether their queues take turns at being first); what is served first comes first
-- errors  INVALID_ARGUMENT
-- keys    {ns}:patterns
operation('pattern_get', 'read', function(argv)
  check.object(argv[3], 'args', {})
  return patterns.read()
end)
