-- queue_unpause: these queues are served again.
--
-- args    JSON  queues   list of 1 to 250 texts
-- reply   integer  how many were paused before
-- errors  INVALID_ARGUMENT
-- keys    {ns}:paused {ns}:waiting:<q> {ns}:wake:<q> {ns}:meta
operation('queue_unpause', 'write', function(argv)
  local args = check.object(argv[3], 'args', { queues = true })
  local names = check.some_names(args.queues, 'queues', MAX_ITEMS)
  local count = call('SREM', keys.paused(), unpack(names))
  uses.cease_without('pauses', keys.paused())
  for _, queue in ipairs(names) do
    if call('EXISTS', keys.waiting(queue)) == 1 then
      queues.wake(queue)
    end
  end
  return count
end)
