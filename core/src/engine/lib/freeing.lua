-- Jobs that others let go: of a throttle, or as dependents of what is completed. What one call does not do is noted in
-- {ns}:freeing, and done by reserves and sweeps: a member is 't:<throttle>' or 'd:<number>:<jid>', its score from when on.
local freeing = {}

local AT_ONCE = 100

-- Jobs called forward may stand in a queue that nobody serves: others are called, until the room is taken.
local LOOK_AGAIN_MS, PAUSED_AHEAD = 1000, 20

local function note(member, time)
  uses.begin('freeing')
  call('ZADD', keys.freeing(), 'LT', text(time), member)
end

-- Those of `jids`, first of the pending, whose records say that they wait for this throttle; others are dropped there.
local function pending_jobs(id, jids)
  local found = {}
  state.load_all(jids)
  for _, jid in ipairs(jids) do
    local job = state.load(jid)
    if job and job[STATE] == THROTTLED and record.rare(job, PENDING) == id then
      found[#found + 1] = job
    else
      call('ZREM', keys.pending(id), jid)
    end
  end
  return found
end

-- A full throttle of a queue keeps its workers from looking further: the rest of its jobs still wait in their line.
local function wake_queue_of(id)
  local queue = throttle.queue_of(id)
  if queue and call('EXISTS', keys.waiting(queue)) == 1 then
    queues.wake(queue)
  end
end

-- How many of the pending to look at: more than there is room for, as some may stand in paused queues.
local function limit_of(room, limit, again)
  return again and limit or min(room + PAUSED_AHEAD, limit)
end

-- The first that wait for a throttle with room wait in their queues again, where they were; those in paused queues take no
-- room. `again`: those called before did not take it, perhaps as nobody serves their queues, so all are called. How many.
local function call_forward(id, limit, again)
  local key = keys.pending(id)
  local room = throttle.room(id) or 2 ^ 53
  local jids = room > 0 and limit > 0 and call('ZRANGE', key, '0', text(limit_of(room, limit, again) - 1)) or {}
  local rest, called = room, 0
  if #jids > 0 then
    for _, job in ipairs(pending_jobs(id, jids)) do
      if rest > 0 or again then
        state.wait(job, record.ready_at(job), true)
        called = called + 1
        rest = call('SISMEMBER', keys.paused(), job[QUEUE]) == 0 and rest - 1 or rest
      end
    end
    state.commit()
  end
  if room > 0 and call('EXISTS', key) == 1 then
    note('t:' .. id, rest > 0 and now or now + LOOK_AGAIN_MS)
  end
  if room > 0 then
    wake_queue_of(id)
  end
  return called
end

-- Calling forward costs as much as moving so many jobs, whether there are any or not.
local EACH = 5

-- Was let go of; what is left of the budget.
local function let_go(id, budget)
  if uses.has('throttles') and (call('EXISTS', keys.pending(id)) == 1 or (throttle.queue_of(id) and throttle.limit(id))) then
    if budget > 0 then
      return budget - call_forward(id, budget) - EACH
    end
    note('t:' .. id, now)
  end
  return budget
end

-- What let go of them is done, whatever becomes of those who wait.
state.when_freed(function(freed)
  local budget = AT_ONCE
  for id in pairs(freed) do
    local left = state.attempt('throttle', id, let_go, id, budget)
    if not left then
      note('t:' .. id, now + LOOK_AGAIN_MS)
    end
    budget = left or budget - EACH
  end
end)

-- A throttle's limit has changed.
function freeing.throttle(id)
  call_forward(id, AT_ONCE)
end

-- A throttle's limit changes at `time`.
function freeing.note_throttle(id, time)
  note('t:' .. id, time)
end

-- Whether a throttle is noted to be looked at.
function freeing.noted(id)
  return call('ZSCORE', keys.freeing(), 't:' .. id)
end

-- The first dependents of `jid` in the zset `key` wait for it no longer; but one that has come to wait for a new job of that
-- jid since still does. `linked`: those that this call has made dependents. How many of the zset.
local function free_dependents(key, jid, limit, linked)
  local dependents = limit > 0 and call('ZRANGE', key, '0', text(limit - 1)) or {}
  local stored = #dependents
  for _, dependent in ipairs(linked or {}) do
    dependents[#dependents + 1] = dependent
  end
  local anew = keys.dependents(jid)
  state.load_all(dependents)
  for _, dependent in ipairs(dependents) do
    if key == anew or not call('ZSCORE', anew, dependent) then
      dependency.satisfy(dependent, jid)
    end
  end
  state.later(function()
    call_sliced('ZREM', key, dependents)
  end)
  return stored
end

-- `job` is completed for good. Frees at most `budget` dependents now; how many were freed.
function freeing.completed(job, budget)
  local key = keys.dependents(job[JID])
  record.set_rare(job, HAS_DEPENDENTS, nil)
  local count = free_dependents(key, job[JID], budget, job[WAITED_BY])
  if call('ZCARD', key) > count then
    state.later(function()
      local number = text(call('INCR', keys.seq()))
      call('RENAME', key, keys.freed(number))
      note('d:' .. number .. ':' .. job[JID], now)
    end)
  end
  return count
end
freeing.at_once = AT_ONCE

local function throttle_step(member, id, limit)
  call('ZREM', keys.freeing(), member)
  local _, ends_at = throttle.limit(id)
  if ends_at then
    note(member, ends_at)
  elseif throttle.limit(id) == nil then
    call('DEL', keys.throttle(id))
    call('ZREM', keys.throttles(), id)
  end
  return call_forward(id, limit, true)
end

local function dependents_step(member, limit)
  local number, jid = match(member, '^d:(%d+):(.*)$')
  local key = keys.freed(number)
  local count = free_dependents(key, jid, limit)
  state.commit()
  if call('EXISTS', key) == 0 then
    call('ZREM', keys.freeing(), member)
  end
  return count
end

local function step_of(member, limit)
  if sub(member, 1, 2) == 't:' then
    return throttle_step(member, sub(member, 3), limit)
  end
  return dependents_step(member, limit)
end

-- Does at most `limit` jobs of what is left to do; how many. What cannot be done, as a key is of another type, does not keep
-- the others, and is looked at again later.
function freeing.step(limit)
  local moved = 0
  for _, member in ipairs(call('ZRANGEBYSCORE', keys.freeing(), '-inf', now_text, 'LIMIT', '0', '64')) do
    if moved >= limit then
      break
    end
    local done = state.attempt('freeing', member, step_of, member, limit - moved)
    if not done then
      call('ZADD', keys.freeing(), text(now + LOOK_AGAIN_MS), member)
    end
    moved = moved + (done or 0)
  end
  uses.cease_without('freeing', keys.freeing())
  return moved
end

return freeing
