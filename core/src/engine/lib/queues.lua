-- What is known of the queues themselves.
local queues = {}

-- Jobs by state, as the operations queue_counts and queue_list answer.
function queues.counts(queue)
  local expired = call('ZCOUNT', keys.running(queue), '-inf', now_text)
  return {
    waiting = call('ZCARD', keys.waiting(queue)),
    scheduled = call('ZCARD', keys.scheduled(queue)),
    blocked = call('ZCARD', keys.blocked(queue)),
    throttled = call('ZCARD', keys.throttled(queue)),
    running = call('ZCARD', keys.running(queue)) - expired,
    stalled = call('ZCARD', keys.grace(queue)) + expired,
    recurring = call('ZCARD', keys.recurring(queue)),
    paused = call('SISMEMBER', keys.paused(), queue) == 1,
  }
end

function queues.length(queue)
  return call('ZCARD', keys.waiting(queue)) + call('ZCARD', keys.scheduled(queue)) + call('ZCARD', keys.blocked(queue))
    + call('ZCARD', keys.throttled(queue)) + call('ZCARD', keys.running(queue)) + call('ZCARD', keys.grace(queue))
end

-- Tells workers on patterns that the set of queues, or what patterns mean, is another one.
function queues.changed()
  call('HINCRBY', meta.key, 'queues_version', '1')
  if call('EXISTS', keys.queues_wake()) == 0 then
    call('RPUSH', keys.queues_wake(), '1')
  end
end

-- The first sight of a queue makes it known.
function queues.know(queue)
  if call('ZADD', keys.queues(), 'NX', now_text, queue) == 1 then
    queues.changed()
  end
end

return queues
