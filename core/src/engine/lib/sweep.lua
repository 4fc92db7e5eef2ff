-- What falls due: leases and graces that ended, scheduled jobs. Always by small bounded steps.
local sweep = {}

local function due_members(key, limit)
  return call('ZRANGEBYSCORE', key, '-inf', now_text, 'LIMIT', '0', text(limit))
end

local function due_jobs(key, limit)
  local jids = due_members(key, limit)
  return state.jobs_of(key, jids, jids), #jids
end

local function end_graces(queue, limit)
  local jobs, count = due_jobs(keys.grace(queue), limit)
  for _, job in ipairs(jobs) do
    lease.hand_on(job, 'expired')
  end
  return count
end

local function end_leases(queue, limit)
  local key = keys.running(queue)
  local jobs, count = ending.by(key, keys.leases(queue), now_text, limit, function(job)
    return job[FROM] == key
  end, function(job)
    return job[QUEUE] == queue
  end)
  local grace_ms = count > 0 and config.get('grace-period', queue)
  for _, job in ipairs(jobs) do
    if grace_ms == 0 then
      lease.hand_on(job, 'expired')
    else
      state.grace(job, now + grace_ms)
    end
  end
  return count
end

local function promote(queue, limit)
  local key = keys.scheduled(queue)
  local members = due_members(key, limit)
  for _, job in ipairs(state.jobs_of(key, members, place.jids_of(members))) do
    state.wait(job, record.ready_at(job))
  end
  return #members
end

-- The score of a recurring job that is paused is infinite.
local NEVER = 2 ^ 60

-- When the queue has something due next, nil for never.
function sweep.next_due(queue)
  local earliest
  for _, key in ipairs({ keys.scheduled(queue), keys.running(queue), keys.leases(queue), keys.grace(queue), keys.recurring(queue) }) do
    local head = call('ZRANGE', key, '0', '0', 'WITHSCORES')
    local time = tonumber(head[2])
    if time and time < NEVER and (not earliest or time < earliest) then
      earliest = time
    end
  end
  return earliest
end

-- What cannot be swept comes after what can.
local LOOK_AGAIN_MS = 1000

-- `stuck`: what is due there was not to be moved.
local function note_due(queue, stuck)
  local time = sweep.next_due(queue)
  if time and stuck and time <= now then
    time = now + LOOK_AGAIN_MS
  end
  if time then
    call('ZADD', keys.due(), text(time), queue)
  else
    call('ZREM', keys.due(), queue)
  end
  return true
end

local function sweep_queue(queue, limit)
  local moved = end_graces(queue, limit)
  moved = moved + end_leases(queue, limit - moved)
  moved = moved + recurring.step(queue, limit - moved)
  moved = moved + promote(queue, limit - moved)
  state.commit()
  note_due(queue, moved == 0)
  return moved
end

-- Most queues of one step.
local MOST_QUEUES = 64

-- Does at most `limit` jobs of one queue; returns how many it moved. A queue that cannot be swept, as a key of it is of another
-- type, does not keep the others.
function sweep.queue(queue, limit)
  local moved = state.attempt('sweep of queue', queue, sweep_queue, queue, limit)
  if not moved then
    call('ZADD', keys.due(), text(now + LOOK_AGAIN_MS), queue)
  end
  return moved or 0
end

-- Does at most `limit` jobs over all queues that have something due. What was due first may have left its queue since: then the
-- queue stands too early in line, and is put right before the others get their places in line behind it.
function sweep.all(limit)
  local moved = 0
  for _, queue in ipairs(due_members(keys.due(), MOST_QUEUES)) do
    state.attempt('sweep of queue', queue, note_due, queue)
  end
  for _, queue in ipairs(due_members(keys.due(), MOST_QUEUES)) do
    if moved >= limit then
      break
    end
    moved = moved + sweep.queue(queue, limit - moved)
  end
  return moved
end

-- How many jobs have been completed for so long.
local function completed_for(span_ms)
  return call('ZCOUNT', keys.completed(), '-inf', text(now - span_ms))
end

local LEAST_KEPT_MS = 60000

local function trim(limit, surplus)
  local count = surplus > 0 and min(surplus, completed_for(LEAST_KEPT_MS)) or 0
  count = min(limit, max(count, completed_for(config.get('jobs-history'))))
  if count == 0 then
    return 0
  end
  state.forget_completed(call('ZRANGE', keys.completed(), '0', text(count - 1)))
  state.commit()
  return count
end

-- Forgets completed jobs beyond `jobs-history-count` (but none younger than a minute) and those older
-- than `jobs-history`, at most `limit`, oldest first; how many. Those that cannot be forgotten, as a key is of another type, keep
-- nothing else.
function sweep.trim(limit)
  local surplus = call('ZCARD', keys.completed()) - config.get('jobs-history-count')
  return state.attempt('completed jobs', '', trim, limit, surplus) or 0
end

-- To look costs as much as to forget some jobs: a thousandth more than are to be kept may be there before it is done.
local SLACK = 1000

-- The same beside so many that were completed, more than as many, so that the history keeps its length.
function sweep.trim_beside(completed)
  local kept = config.get('jobs-history-count')
  local surplus, slack = call('ZCARD', keys.completed()) - kept, floor(kept / SLACK)
  if surplus > slack then
    local limit = min(2 * completed + min(slack, MAX_SWEEP), max(MAX_SWEEP, completed))
    state.attempt('completed jobs', '', trim, limit, surplus)
  end
end

-- Forgets workers whose last pulse, or loss, and kinds whose last worker is more than `max-worker-age` ago.
local function forget_workers(limit)
  local age = config.get('max-worker-age')
  local oldest, oldest_loss = text(now - age), text(age - now)
  local workers = call('ZRANGEBYSCORE', keys.workers(), oldest_loss, oldest, 'LIMIT', '0', text(limit))
  call_sliced('ZREM', keys.workers(), workers)
  if uses.has('losses') and call('ZCOUNT', keys.workers(), '-inf', '(0') == 0 then
    uses.cease('losses')
  end
  call_sliced('ZREM', keys.kinds(), call('ZRANGEBYSCORE', keys.kinds(), '-inf', oldest, 'LIMIT', '0', text(limit)))
end

-- One bounded step of everything: at most `limit` jobs, and as many workers and kinds. How many were moved, and forgotten.
function sweep.step(limit)
  local moved = freeing.step(limit)
  moved = moved < limit and moved + sweep.all(limit - moved) or moved
  local trimmed = moved < limit and sweep.trim(limit - moved) or 0
  forget_workers(limit)
  return moved, trimmed
end

return sweep
