-- The only place where a job changes state.
--
-- The record is the truth; every collection is an index derived from it by `place`. A call loads
-- jobs, changes records through the transitions below, and `commit` compares each record's place
-- before and after: collections first, records after, wake tokens and `due` with them. One job or
-- a thousand, from whichever operation: the same few commands, so no two places can disagree.
local state = {}

local SEQ_SPAN = 2 ^ 45

-- The unit in progress: jid -> item (false: looked for and not there), and the changed ones in order of first touch.
-- `placeless`: some of them want a new place in line.
local items, order, placeless

function state.begin()
  items, order, placeless = {}, {}, false
  stats.begin()
end

-- Which zset tells where the job is, and its score there. Neighbours in a batch mostly share the zset.
local last_state, last_name, last_ns, last_key

local function zset_key(at, name)
  if at == last_state and name == last_name and ns == last_ns then
    return last_key
  end
  local key
  if at == WAITING then
    key = keys.waiting(name)
  elseif at == RUNNING then
    key = keys.running(name)
  elseif at == IN_GRACE then
    key = keys.grace(name)
  elseif at == SCHEDULED then
    key = keys.scheduled(name)
  elseif at == COMPLETED then
    key = keys.completed()
  elseif at == FAILED then
    key = keys.failed(name)
  elseif at == BLOCKED then
    key = keys.blocked(name)
  else
    key = keys.throttled(name)
  end
  last_state, last_name, last_ns, last_key = at, name, ns, key
  return key
end

local function place(job)
  local at = job[STATE]
  if at == WAITING or at == THROTTLED then
    return zset_key(at, job[QUEUE]), job[SCORE]
  elseif at == RUNNING then
    local grace_until = job[GRACE_UNTIL]
    return zset_key(grace_until and IN_GRACE or at, job[QUEUE]), grace_until or job[LEASE_UNTIL]
  elseif at == COMPLETED then
    return zset_key(at, at), job[ENDED_AT]
  elseif at == FAILED then
    return zset_key(at, job[GROUP]), job[ENDED_AT]
  end
  return zset_key(at, job[QUEUE]), record.ready_at(job)
end

-- A scheduled job is named in its zset with its seq before its jid: equal due times then stand in put order.
local SEQ_DIGITS = 12

local function scheduled_member(jid, job)
  return format('%012x', job[SCORE] % SEQ_SPAN) .. jid
end

-- The jids of members of a zset of scheduled jobs.
function state.scheduled_jids(members)
  local jids = {}
  for index = 1, #members do
    jids[index] = sub(members[index], SEQ_DIGITS + 1)
  end
  return jids
end

local function new_item(jid, name, job)
  -- The fields are named here, so that the table need not grow; `group` and `member` only where they differ from the plain case.
  local item = { jid = jid, name = name, job = job, key = false, score = false, worker = false, touched = false, payload = false }
  if job then
    item.key, item.score = place(job)
    local at = job[STATE]
    if at == RUNNING then
      item.worker = job[WORKER]
    elseif at == FAILED then
      item.group = job[GROUP]
    elseif at == SCHEDULED then
      item.member = scheduled_member(jid, job)
    end
  end
  items[jid] = item
  return item
end

-- Loads the jobs of a batch in one command a slice; `state.load` then finds them.
function state.load_all(jids)
  local wanted, names, count = {}, {}, 0
  for index = 1, #jids do
    local jid = jids[index]
    if items[jid] == nil then
      items[jid] = false
      count = count + 1
      wanted[count], names[count] = jid, keys.job(jid)
    end
  end
  for first = 1, count, MAX_SLICE do
    local stored = call('MGET', unpack(names, first, min(first + MAX_SLICE - 1, count)))
    for index = 1, #stored do
      if stored[index] then
        local at = first + index - 1
        new_item(wanted[at], names[at], record.decode(stored[index]))
      end
    end
  end
end

-- The item of a job, loaded once a unit; nil when there is no such job.
function state.load(jid)
  local item = items[jid]
  if item == nil then
    state.load_all({ jid })
    item = items[jid]
  end
  return item and item.job and item or nil
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
  if item then
    item.replaced = item.job and true
  else
    item = new_item(jid, keys.job(jid), false)
  end
  item.job, item.payload = job, payload
  touch(item)
  return item
end

-- ## Transitions

-- At the end of its priority: the commit draws a new seq.
local function leave_place(job)
  job[SCORE] = job[SCORE] - job[SCORE] % SEQ_SPAN
  placeless = true
end

-- Waiting since `ready_at`: at its old place in line, or at the end of its priority.
function state.wait(item, ready_at, keep_place)
  local job = item.job
  job[STATE], job[GRACE_UNTIL] = WAITING, nil
  job[READY_AT] = ready_at ~= job[PUT_AT] and ready_at or nil
  if not keep_place then
    leave_place(job)
  end
  touch(item)
end

function state.schedule(item, due)
  local job = item.job
  job[STATE], job[READY_AT], job[GRACE_UNTIL] = SCHEDULED, due, nil
  leave_place(job)
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
  job[LOST_REASON] = nil
  touch(item)
end

function state.renew(item, lease_until)
  item.job[LEASE_UNTIL], item.job[GRACE_UNTIL] = lease_until, nil
  touch(item)
end

function state.grace(item, grace_until)
  item.job[GRACE_UNTIL] = grace_until
  touch(item)
end

local function finish(item, ended)
  local job = item.job
  job[STATE], job[ENDED_AT], job[GRACE_UNTIL] = ended, now, nil
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
  item.job = false
  touch(item)
end

function state.set_payload(item, payload)
  item.payload = payload
  touch(item)
end

-- ## Commit

function state.wake(queue)
  local key = keys.wake(queue)
  if call('EXISTS', key) == 0 then
    call('RPUSH', key, '1')
  end
end

-- Draws a seq for every waiting or scheduled job that has none, in the order of the call.
local function draw_places()
  local jobs, count = {}, 0
  for _, item in ipairs(order) do
    local job = item.job
    if job and job[SCORE] % SEQ_SPAN == 0 then
      count = count + 1
      jobs[count] = job
    end
  end
  placeless = false
  if count > 0 then
    local seq = call('INCRBY', keys.seq(), text(count)) - count
    for index = 1, count do
      jobs[index][SCORE] = jobs[index][SCORE] + seq + index
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

local function shift_count(groups, group, difference)
  groups[group] = (groups[group] or 0) + difference
end

-- What the queue learns of a job that is now in `at`, with the score `score`.
local function note_queue(changes, at, queue, score)
  if at == RUNNING then
    earlier(changes.due, queue, score)
  elseif at == WAITING then
    changes.woken[queue] = true
    changes.entered[queue] = true
  elseif at == SCHEDULED then
    earlier(changes.due, queue, score)
    earlier(changes.scheduled, queue, score)
    changes.entered[queue] = true
  end
end

-- What the changed items mean for every collection.
local function derive()
  local changes = { removed = {}, added = {}, left = {}, joined = {}, groups = {}, due = {}, scheduled = {}, woken = {}, entered = {} }
  local last_score, last_text
  for index = 1, #order do
    local item = order[index]
    local job, old_key = item.job, item.key
    local key, score, member, worker, group = false, false, nil, false, nil
    if job then
      key, score = place(job)
      local at = job[STATE]
      worker, group = at == RUNNING and job[WORKER], at == FAILED and job[GROUP] or nil
      member = at == SCHEDULED and scheduled_member(item.jid, job) or nil
      note_queue(changes, at, job[QUEUE], score)
    end
    if old_key and (old_key ~= key or member ~= item.member) then
      push(changes.removed, old_key, item.member or item.jid)
    end
    if key and (key ~= old_key or score ~= item.score or member ~= item.member) then
      if score ~= last_score then
        last_score, last_text = score, text(score)
      end
      push(changes.added, key, last_text, member or item.jid)
    end
    if worker ~= item.worker then
      if item.worker then
        push(changes.left, item.worker, item.jid)
      end
      if worker then
        push(changes.joined, worker, item.jid)
      end
    end
    if member ~= item.member then
      item.member = member
    end
    if group ~= item.group then
      if item.group then
        shift_count(changes.groups, item.group, -1)
      end
      if group then
        shift_count(changes.groups, group, 1)
      end
      item.group = group
    end
    item.key, item.score, item.worker = key, score, worker
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
  for worker, list in pairs(changes.left) do
    call_sliced('SREM', keys.worker_jobs(worker), list)
  end
  for worker, list in pairs(changes.joined) do
    call_sliced('SADD', keys.worker_jobs(worker), list)
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
  local names_and_records, length = {}, 0
  for index = 1, #order do
    local item = order[index]
    local jid, job = item.jid, item.job
    if item.replaced or not job then
      record.delete(jid)
      item.replaced = nil
    end
    if job then
      if item.payload then
        record.set_payload(jid, job, item.payload)
      end
      names_and_records[length + 1] = item.name
      names_and_records[length + 2] = record.encode(job)
      length = length + 2
    end
    item.touched, item.payload = false, false
  end
  for first = 1, length, 2 * MAX_SLICE do
    call('MSET', unpack(names_and_records, first, min(first + 2 * MAX_SLICE - 1, length)))
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
  if placeless then
    draw_places()
  end
  local changes = derive()
  write_collections(changes)
  write_records()
  announce(changes)
  order = {}
  stats.flush()
end

-- The loaded items of what stands in the zset `key`; a member without a record is dropped there.
function state.items_of(key, members, jids)
  local found, count = {}, 0
  state.load_all(jids)
  for index = 1, #jids do
    local item = state.load(jids[index])
    if item then
      count = count + 1
      found[count] = item
    else
      call('ZREM', key, members[index])
    end
  end
  return found
end

return state
