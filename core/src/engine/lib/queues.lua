-- What is known of the queues themselves.
local queues = {}

-- How many jobs have a lease that ended and were not looked at since.
function queues.expired(queue)
  return call('ZCOUNT', keys.running(queue), '-inf', now_text) + shared.expired(queue)
end

-- A page of the jobs in hand but for those in grace, whose lease ends first before others.
function queues.running(queue, offset, limit)
  return shared.page(keys.running(queue), keys.leases(queue), offset, limit)
end

-- A page of the jobs in hand: those in grace after all others.
function queues.holders(queue, offset, limit)
  local jids = queues.running(queue, offset, limit)
  if #jids < limit then
    local passed = max(0, offset - shared.running(queue))
    for _, jid in ipairs(page.members(keys.grace(queue), passed, limit - #jids)) do
      jids[#jids + 1] = jid
    end
  end
  return jids
end

-- Jobs by state, as the operations queue_counts and queue_list answer.
function queues.counts(queue)
  local held = shared.running(queue)
  local expired = held > 0 and queues.expired(queue) or 0
  return {
    waiting = call('ZCARD', keys.waiting(queue)),
    scheduled = call('ZCARD', keys.scheduled(queue)),
    blocked = call('ZCARD', keys.blocked(queue)),
    throttled = call('ZCARD', keys.throttled(queue)),
    running = held - expired,
    stalled = call('ZCARD', keys.grace(queue)) + expired,
    recurring = call('ZCARD', keys.recurring(queue)),
    paused = call('SISMEMBER', keys.paused(), queue) == 1,
  }
end

function queues.length(queue)
  return call('ZCARD', keys.waiting(queue)) + call('ZCARD', keys.scheduled(queue)) + call('ZCARD', keys.blocked(queue))
    + call('ZCARD', keys.throttled(queue)) + shared.running(queue) + call('ZCARD', keys.grace(queue))
end

-- Rises whenever the set of queues, or what patterns mean, becomes another; as the call in progress found it.
function queues.version()
  return tonumber(meta.queues_version)
end

-- Tells workers on patterns that the set of queues, or what patterns mean, is another one.
function queues.changed()
  call('HINCRBY', meta.key, 'queues_version', '1')
  if call('EXISTS', keys.queues_wake()) == 0 then
    call('RPUSH', keys.queues_wake(), '1')
  end
end

-- The first sight of queues makes them known.
function queues.know_all(names)
  local entries, added = {}, 0
  for index, queue in ipairs(names) do
    entries[2 * index - 1], entries[2 * index] = now_text, queue
  end
  for first = 1, #entries, 2 * MAX_SLICE do
    added = added + call('ZADD', keys.queues(), 'NX', unpack(entries, first, min(first + 2 * MAX_SLICE - 1, #entries)))
  end
  if added > 0 then
    queues.changed()
  end
end

function queues.know(queue)
  if call('ZADD', keys.queues(), 'NX', now_text, queue) == 1 then
    queues.changed()
  end
end

-- A token, and the queue is ready until it is found to have nothing: one with a token always is.
local function push_token(key, queue)
  call('SADD', keys.ready(), queue)
  call('RPUSH', key, '1')
end

-- One token for whoever waits for work in the queue, unless there is one.
function queues.wake(queue)
  local key = keys.wake(queue)
  if call('EXISTS', key) == 0 then
    push_token(key, queue)
  end
end

-- Jobs came to a queue that has no token.
function queues.know_and_wake(queue)
  queues.know(queue)
  push_token(keys.wake(queue), queue)
end

-- Jobs came to the queues that the table names: they become known, and where it says true a token is pushed unless there is
-- one. Only a queue that is known has a token.
function queues.enter(entered)
  local names, tokens, asleep = {}, {}, {}
  for queue, wakes in pairs(entered) do
    if wakes then
      names[#names + 1], tokens[#tokens + 1] = queue, keys.wake(queue)
    else
      asleep[#asleep + 1] = queue
    end
  end
  for first = 1, #names, MAX_SLICE do
    local last = min(first + MAX_SLICE - 1, #names)
    local awake = call('EXISTS', unpack(tokens, first, last))
    for index = first, awake <= last - first and last or 0 do
      if awake == 0 or call('EXISTS', tokens[index]) == 0 then
        asleep[#asleep + 1] = names[index]
      end
    end
  end
  if #asleep > 0 then
    queues.know_all(asleep)
    for _, queue in ipairs(asleep) do
      if entered[queue] then
        push_token(keys.wake(queue), queue)
      end
    end
  end
end

-- These queues have nothing to take: whoever woke for them would find nothing.
function queues.let_sleep(names)
  local tokens = {}
  for index, queue in ipairs(names) do
    tokens[index] = keys.wake(queue)
  end
  call('DEL', unpack(tokens))
  call('SREM', keys.ready(), unpack(names))
end

-- At most `limit` queues that are ready, or have something due until `time`; second: whether there are more.
function queues.ready(limit, time)
  local found, seen = call('ZRANGEBYSCORE', keys.due(), '-inf', text(time), 'LIMIT', '0', text(limit + 1)), {}
  for _, queue in ipairs(found) do
    seen[queue] = true
  end
  for _, queue in ipairs(#found <= limit and call('SRANDMEMBER', keys.ready(), text(limit + 1)) or {}) do
    if not seen[queue] then
      found[#found + 1] = queue
    end
  end
  local more = #found > limit
  for index = #found, limit + 1, -1 do
    found[index] = nil
  end
  return found, more
end

return queues
