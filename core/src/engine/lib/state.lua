-- The only place where a job changes state.
--
-- The record is the truth; every collection is an index derived from it by `place`. A call loads
-- jobs, changes records through the transitions below, and `commit` compares each record's place
-- before and after: collections first, records after, wake tokens and `due` with them. One job or
-- a thousand, from whichever operation: the same few commands, so no two places can disagree.
local state = {}

local SEQ_SPAN = 2 ^ 45

-- Jobs of the unit in progress: jid -> item {jid, job, payload, key, score, worker}, and in order of first touch.
local items, order

function state.begin()
  items, order = {}, {}
  stats.begin()
end

-- Which zset tells where the job is, and its score there.
local function place(job)
  local at, queue = job[STATE], job[QUEUE]
  if at == RUNNING then
    local grace_until = job[GRACE_UNTIL]
    if grace_until and grace_until ~= 0 then
      return keys.grace(queue), grace_until
    end
    return keys.running(queue), job[LEASE_UNTIL]
  elseif at == WAITING then
    return keys.waiting(queue), job[SCORE]
  elseif at == COMPLETED then
    return keys.completed(), job[ENDED_AT]
  elseif at == SCHEDULED then
    return keys.scheduled(queue), record.ready_at(job)
  elseif at == FAILED then
    return keys.failed(job[GROUP]), job[ENDED_AT]
  elseif at == BLOCKED then
    return keys.blocked(queue), job[PUT_AT]
  end
  return keys.throttled(queue), job[SCORE]
end

local function holder(job)
  return job[STATE] == RUNNING and job[WORKER] or nil
end

-- The item of a job, loaded once per unit; nil when there is no such job.
function state.load(jid)
  local item = items[jid]
  if item then
    return item.job and item or nil
  end
  local job, payload = record.load(jid)
  if not job then
    return nil
  end
  item = { jid = jid, job = job, payload = payload, worker = holder(job), group = job[STATE] == FAILED and job[GROUP] or nil }
  item.key, item.score = place(job)
  items[jid] = item
  return item
end

local function touch(item)
  if not item.touched then
    item.touched = true
    order[#order + 1] = item
  end
end

-- A new record for `jid`, in no state yet: a transition must follow. What was there before is replaced.
function state.create(jid, job, payload)
  local item = items[jid]
  if not item then
    item = { jid = jid }
    items[jid] = item
  else
    item.replaced = true
  end
  item.job, item.payload, item.rewritten = job, payload, true
  touch(item)
  return item
end

-- ## Transitions. `score` kept, or nil for a new place at the end of its priority.

function state.wait(item, ready_at, keep_place)
  local job = item.job
  job[STATE], job[READY_AT], job[GRACE_UNTIL] = WAITING, ready_at, false
  item.wants_seq = not keep_place
  touch(item)
end

function state.schedule(item, due)
  local job = item.job
  job[STATE], job[READY_AT], job[GRACE_UNTIL] = SCHEDULED, due, false
  touch(item)
end

-- Waiting now, or scheduled when there is a delay.
function state.wait_after(item, delay_ms)
  if delay_ms > 0 then
    state.schedule(item, now + delay_ms)
    return 'scheduled'
  end
  state.wait(item, now)
  return 'waiting'
end

function state.run(item, token, worker, lease_until)
  local job = item.job
  job[STATE], job[TOKEN], job[WORKER], job[LEASE_UNTIL], job[RESERVED_AT] = RUNNING, token, worker, lease_until, now
  job[LOST_REASON] = false
  touch(item)
end

function state.renew(item, lease_until)
  item.job[LEASE_UNTIL], item.job[GRACE_UNTIL] = lease_until, false
  touch(item)
end

function state.grace(item, grace_until)
  item.job[GRACE_UNTIL] = grace_until
  touch(item)
end

local function finish(item, ended)
  local job = item.job
  job[STATE], job[ENDED_AT], job[GRACE_UNTIL] = ended, now, false
  touch(item)
end

function state.complete(item)
  finish(item, COMPLETED)
end

function state.fail(item, group)
  item.job[GROUP] = group
  finish(item, FAILED)
end

function state.forget(item)
  item.job = nil
  touch(item)
end

-- Rewrites the payload with the record at commit.
function state.set_payload(item, payload)
  item.payload, item.rewritten = payload, true
  touch(item)
end

-- ## Commit

function state.wake(queue)
  local key = keys.wake(queue)
  if call('EXISTS', key) == 0 then
    call('RPUSH', key, '1')
  end
end

local function assign_places()
  local count = 0
  for _, item in ipairs(order) do
    if item.job and item.wants_seq then
      count = count + 1
    end
  end
  if count == 0 then
    return
  end
  local seq = call('INCRBY', keys.seq(), text(count)) - count
  for _, item in ipairs(order) do
    if item.job and item.wants_seq then
      seq = seq + 1
      item.job[SCORE] = item.job[SCORE] - item.job[SCORE] % SEQ_SPAN + seq
      item.wants_seq = false
    end
  end
end

local function push(lists, key, value, second)
  local list = lists[key]
  if not list then
    list = {}
    lists[key] = list
  end
  list[#list + 1] = value
  if second then
    list[#list + 1] = second
  end
end

local function earlier(times, queue, time)
  local known = times[queue]
  if not known or time < known then
    times[queue] = time
  end
end

-- What the changed items mean for every collection.
local function derive()
  local changes = { removed = {}, added = {}, left = {}, joined = {}, groups = {}, due = {}, scheduled = {}, woken = {}, entered = {} }
  local last_score, last_text
  for _, item in ipairs(order) do
    local job = item.job
    local key, score
    local worker, group
    if job then
      key, score = place(job)
      worker = holder(job)
      local at, queue = job[STATE], job[QUEUE]
      if at == FAILED then
        group = job[GROUP]
      elseif at == RUNNING or at == SCHEDULED then
        earlier(changes.due, queue, score)
        if at == SCHEDULED then
          earlier(changes.scheduled, queue, score)
          changes.entered[queue] = true
        end
      elseif at == WAITING then
        changes.woken[queue] = true
        changes.entered[queue] = true
      end
    end
    if item.key and item.key ~= key then
      push(changes.removed, item.key, item.jid)
    end
    if key and (key ~= item.key or score ~= item.score) then
      if score ~= last_score then
        last_score, last_text = score, text(score)
      end
      push(changes.added, key, last_text, item.jid)
    end
    if worker ~= item.worker then
      if item.worker then
        push(changes.left, keys.worker_jobs(item.worker), item.jid)
      end
      if worker then
        push(changes.joined, keys.worker_jobs(worker), item.jid)
      end
    end
    if group ~= item.group then
      if item.group then
        changes.groups[item.group] = (changes.groups[item.group] or 0) - 1
      end
      if group then
        changes.groups[group] = (changes.groups[group] or 0) + 1
      end
    end
    item.key, item.score, item.worker, item.group = key, score, worker, group
  end
  return changes
end

local function write_collections(changes)
  for key, list in pairs(changes.removed) do
    call_sliced('ZREM', key, list)
  end
  for key, list in pairs(changes.added) do
    call_sliced('ZADD', key, list, 2)
  end
  for key, list in pairs(changes.left) do
    call_sliced('SREM', key, list)
  end
  for key, list in pairs(changes.joined) do
    call_sliced('SADD', key, list)
  end
  for group, difference in pairs(changes.groups) do
    if tonumber(call('ZINCRBY', keys.failures(), text(difference), group)) <= 0 then
      call('ZREM', keys.failures(), group)
    end
  end
  for queue, time in pairs(changes.due) do
    call('ZADD', keys.due(), 'LT', text(time), queue)
  end
end

local function write_records()
  for _, item in ipairs(order) do
    if item.replaced or not item.job then
      record.delete(item.jid)
    end
    if item.job then
      local payload = item.payload
      if record.has(item.job, HAS_DATA) and not item.rewritten then
        payload = nil -- unchanged, in its own key
      end
      record.save(item.jid, item.job, payload)
    end
    item.touched, item.rewritten, item.replaced = false, false, false
  end
end

local function announce(changes)
  for queue in pairs(changes.entered) do
    if call('ZADD', keys.queues(), 'NX', now_text, queue) == 1 then
      call('HINCRBY', meta.key, 'queues_version', '1')
      if call('EXISTS', keys.queues_wake()) == 0 then
        call('RPUSH', keys.queues_wake(), '1')
      end
    end
  end
  for queue, time in pairs(changes.scheduled) do
    local head = call('ZRANGE', keys.scheduled(queue), '0', '0', 'WITHSCORES')
    if tonumber(head[2]) == time then
      changes.woken[queue] = true
    end
  end
  for queue in pairs(changes.woken) do
    state.wake(queue)
  end
end

-- Writes everything that changed since begin or the last commit.
function state.commit()
  if #order == 0 then
    return
  end
  assign_places()
  local changes = derive()
  write_collections(changes)
  write_records()
  announce(changes)
  order = {}
  stats.flush()
end

-- The loaded items of `jids`, which stand in the zset `key`; a member without a record is dropped there.
function state.members(key, jids)
  local members = {}
  for _, jid in ipairs(jids) do
    local item = state.load(jid)
    if item then
      members[#members + 1] = item
    else
      call('ZREM', key, jid)
    end
  end
  return members
end

return state
