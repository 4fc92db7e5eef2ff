-- queue_forget: drops empty queues from the lists, with their pause, their own settings and their own throttle. The next put
-- brings one back.
--
-- args    JSON  queues   list of 1 to 100 texts
-- reply   integer  how many were known
-- errors  INVALID_ARGUMENT, WRONG_STATE (one of them still has jobs or recurring jobs; none is forgotten)
-- keys    {ns}:queues {ns}:due {ns}:paused {ns}:config {ns}:wake:<q> {ns}:ready {ns}:throttle:queue:<q> {ns}:throttles {ns}:leased:<q>
--         {ns}:meta and those of queue_length
local MAX_QUEUES = 100

operation('queue_forget', 'write', function(argv)
  local args = check.object(argv[3], 'args', { queues = true })
  local names = check.some_names(args.queues, 'queues', MAX_QUEUES)
  for _, queue in ipairs(names) do
    if queues.length(queue) + call('ZCARD', keys.recurring(queue)) > 0 then
      fail('WRONG_STATE', 'queue ' .. queue .. ' still has jobs')
    end
  end
  for _, queue in ipairs(names) do
    local own = throttle.of_queue(queue)
    config.forget_queue(queue)
    call('DEL', keys.throttle(own), keys.leased(queue))
    call('ZREM', keys.throttles(), own)
  end
  queues.let_sleep(names)
  call('ZREM', keys.due(), unpack(names))
  call('SREM', keys.paused(), unpack(names))
  uses.cease_without('pauses', keys.paused())
  local count = call('ZREM', keys.queues(), unpack(names))
  if count > 0 then
    queues.changed()
  end
  return count
end)
