-- queue_pause: nothing more is reserved from these queues; running jobs go on.
--
-- args    JSON  queues   list of 1 to 250 texts
-- reply   integer  how many were not paused before
-- errors  INVALID_ARGUMENT
-- keys    {ns}:paused {ns}:queues {ns}:meta
operation('queue_pause', 'write', function(argv)
  local args = check.object(argv[3], 'args', { queues = true })
  local names = check.some_names(args.queues, 'queues', MAX_ITEMS)
  queues.know_all(names)
  uses.begin('pauses')
  return call('SADD', keys.paused(), unpack(names))
end)
