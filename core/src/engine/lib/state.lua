-- The only place where a job changes state.
--
-- The record is the truth; every collection is an index derived from it by `place`. A call loads
-- jobs, changes them through the transitions below, and `commit` compares each job's place
-- before and after: collections first, records after, wake tokens and `due` with them. One job or
-- a thousand, from whichever operation: the same few commands, so no two places can disagree.
local state = {}

-- The unit in progress: jid -> job (false: looked for and not there), the changed ones in order of first touch, and
-- those that want a new place in line.
local jobs, changed, placeless

-- The last zset asked for and of what: neighbours in a batch mostly share it.
local last_state, last_queue, last_key

-- What to do after a commit that let go of throttles.
local on_freed

function state.when_freed(act)
  on_freed = act
end

function state.begin()
  jobs, changed, placeless = {}, {}, {}
  last_state = nil
  stats.begin()
  event.begin()
end

local function zset_key(job)
  local at, queue = job[STATE], job[QUEUE]
  if at == WAITING then
    return keys.waiting(queue)
  elseif at == RUNNING then
    return record.rare(job, GRACE_UNTIL) and keys.grace(queue) or keys.running(queue)
  elseif at == COMPLETED then
    return keys.completed()
  elseif at == FAILED then
    return keys.failed(record.rare(job, GROUP))
  elseif at == SCHEDULED then
    return keys.scheduled(queue)
  elseif at == BLOCKED then
    return keys.blocked(queue)
  end
  return keys.throttled(queue)
end

-- Which field is the score, where RARE has no other.
local SCORE_FIELD = {
  [WAITING] = SCORE, [THROTTLED] = SCORE, [SCHEDULED] = PUT_AT, [BLOCKED] = PUT_AT,
  [RUNNING] = LEASE_UNTIL, [FAILED] = ENDED_AT, [COMPLETED] = ENDED_AT,
}

-- Which zset tells where the job is, and its score there; no zset, when it is forgotten.
local function place(job)
  local at, queue, rare = job[STATE], job[QUEUE], job[RARE]
  if at == GONE then
    return false
  elseif rare then
    local other = rare[GRACE_UNTIL] or (at == SCHEDULED or at == BLOCKED) and rare[READY_AT]
    return zset_key(job), other or job[SCORE_FIELD[at]]
  elseif at ~= last_state or queue ~= last_queue then
    last_state, last_queue, last_key = at, queue, zset_key(job)
  end
  return last_key, job[SCORE_FIELD[at]]
end

state.place = place

-- A scheduled job is named in its zset with its seq before its jid: equal due times then stand in put order.
local SEQ_DIGITS = 12

local function scheduled_member(job)
  return format('%012x', job[SCORE] % SEQ_SPAN) .. job[JID]
end

-- What the job is called in its zset.
function state.member_of(job)
  return job[STATE] == SCHEDULED and scheduled_member(job) or job[JID]
end

-- The jids of members of a zset of scheduled jobs.
function state.scheduled_jids(members)
  local jids = {}
  for index = 1, #members do
    jids[index] = sub(members[index], SEQ_DIGITS + 1)
  end
  return jids
end

-- Keeps where a job stands as it is loaded.
local function note_place(job)
  local at = job[STATE]
  job[FROM] = place(job)
  if at == RUNNING then
    job[FROM_WORKER] = job[WORKER]
  elseif at == SCHEDULED then
    job[FROM_MEMBER] = scheduled_member(job)
  end
  if job[RARE] then
    job[FROM_STANDS] = standing.of(job)
  end
end

local function load_slice(jids, first, last)
  local prefix, names, wanted, count = keys.job(''), {}, {}, 0
  for index = first, last do
    local jid = jids[index]
    if jobs[jid] == nil then
      count = count + 1
      names[count], wanted[count] = prefix .. jid, jid
    end
  end
  local stored = count > 0 and call('MGET', unpack(names))
  for index = 1, count do
    local jid, text_of_job = wanted[index], stored[index]
    if jobs[jid] == nil then
      local job = false
      if text_of_job then
        job = record.decode(text_of_job, jid, names[index])
        note_place(job)
      elseif not find(jid, '^[\32-\126]+$') or #jid > MAX_NAME then
        check.name(jid, 'jid') -- says what is wrong; a jid that has a record was checked when it was put
      end
      jobs[jid] = job
    end
  end
end

-- Loads the jobs of a batch in one command a slice; `state.load` then finds them. Refuses a bad jid.
function state.load_all(jids)
  for first = 1, #jids, MAX_SLICE do
    load_slice(jids, first, min(first + MAX_SLICE - 1, #jids))
  end
end

-- A job that has to be there.
function state.existing(jid)
  local job = state.load(jid)
  if not job then
    fail('JOB_NOT_FOUND', 'there is no job ' .. jid)
  end
  return job
end

-- A job, loaded once a unit; nil when there is no such job.
function state.load(jid)
  local job = jobs[jid]
  if job == nil then
    state.load_all({ jid })
    job = jobs[jid]
  end
  return job and job[STATE] ~= GONE and job or nil
end

local function touch(job)
  if not job[CHANGED] then
    job[CHANGED] = true
    changed[#changed + 1] = job
  end
end

-- A new job, in no state yet: a transition must follow. What was there before is replaced.
function state.create(jid, kind, queue, priority, data)
  local job, old = record.new(jid, keys.job(jid), kind, queue, priority, data), jobs[jid]
  if old then
    for field = STATE, RARE do
      old[field] = job[field]
    end
    old[REPLACED] = true
    job = old -- which knows where it stood, and may be among the changed ones
  end
  jobs[jid] = job
  touch(job)
  return job
end

-- ## Transitions

-- At the end of its priority: the commit draws a new seq.
local function leave_place(job)
  placeless[#placeless + 1] = job
end

-- Waiting since `ready_at`: at its old place in line, or at the end of its priority.
function state.wait(job, ready_at, keep_place)
  job[STATE] = WAITING
  if job[RARE] or ready_at ~= job[PUT_AT] then
    record.set_rare(job, GRACE_UNTIL, nil)
    record.set_rare(job, PENDING, nil)
    record.set_rare(job, READY_AT, ready_at ~= job[PUT_AT] and ready_at or nil)
  end
  if not keep_place then
    leave_place(job)
  end
  touch(job)
end

local function wait_until(job, at, due)
  job[STATE] = at
  record.set_rare(job, GRACE_UNTIL, nil)
  record.set_rare(job, PENDING, nil)
  record.set_rare(job, READY_AT, due)
  touch(job)
end

function state.schedule(job, due)
  wait_until(job, SCHEDULED, due)
  leave_place(job)
end

-- Waits for its dependencies, and then until `due`.
function state.block(job, due)
  wait_until(job, BLOCKED, due)
  return 'blocked'
end

-- No longer blocked.
function state.unblock(job)
  local due = record.ready_at(job)
  if due > now then
    state.schedule(job, due)
  else
    state.wait(job, now)
  end
end

-- Its place in line is kept while it waits for the throttle `id`.
function state.throttle(job, id)
  job[STATE] = THROTTLED
  record.set_rare(job, PENDING, id)
  touch(job)
end

function state.set_priority(job, priority)
  job[SCORE] = job[SCORE] % SEQ_SPAN + (127 - priority) * SEQ_SPAN
  touch(job)
end

-- A field that decides no place.
function state.set_rare(job, field, value)
  record.set_rare(job, field, value)
  touch(job)
end

-- Waiting now, or scheduled when there is a delay.
function state.wait_after(job, delay_ms)
  if delay_ms > 0 then
    state.schedule(job, now + delay_ms)
    return 'scheduled'
  end
  state.wait(job, now)
  return 'waiting'
end

function state.run(job, token, worker, lease_until)
  job[STATE] = RUNNING
  job[TOKEN] = token
  job[RESERVED_AT] = now
  job[LEASE_UNTIL] = lease_until
  job[RUN_MS] = job[RUN_MS] or 0
  job[WORKER] = worker
  if job[RARE] then
    record.set_rare(job, LOST_REASON, nil)
    record.set_rare(job, PROGRESS, nil)
  end
  touch(job)
end

function state.renew(job, lease_until)
  job[LEASE_UNTIL] = lease_until
  record.set_rare(job, GRACE_UNTIL, nil)
  touch(job)
end

function state.grace(job, grace_until)
  record.set_rare(job, GRACE_UNTIL, grace_until)
  touch(job)
end

local function finish(job, ended)
  job[STATE] = ended
  job[ENDED_AT] = now
  if job[RARE] then
    record.set_rare(job, GRACE_UNTIL, nil)
  end
  touch(job)
end

function state.complete(job)
  finish(job, COMPLETED)
end

function state.fail(job, group)
  record.set_rare(job, GROUP, group)
  finish(job, FAILED)
end

function state.forget(job)
  job[STATE] = GONE
  touch(job)
end

function state.set_payload(job, payload)
  job[DATA] = payload
  touch(job)
end

-- The job disappears; a worker that has it learns that it was cancelled.
function state.cancel(job)
  record.set_rare(job, CANCELLED, true)
  state.forget(job)
end

-- ## Commit

function state.wake(queue)
  local key = keys.wake(queue)
  if call('EXISTS', key) == 0 then
    call('RPUSH', key, '1')
  end
end

-- Draws a seq for every job that left its place, in the order of leaving.
local function draw_places()
  local count = #placeless
  if count == 0 then
    return
  end
  local seq = call('INCRBY', keys.seq(), text(count)) - count
  for index = 1, count do
    local job = placeless[index]
    local score = job[SCORE]
    job[SCORE] = score - score % SEQ_SPAN + seq + index
  end
end

-- The move of `job` in this commit: jobs that go from one zset and worker to one zset and worker are written together.
local function move_of(moves, job, to, joined)
  local from, left = job[FROM], job[FROM_WORKER]
  local way = concat({ from or '', to or '', left or '', joined or '' }, '\n')
  local move = moves[way]
  if not move then
    local at = job[STATE]
    move = {
      from = from, to = to, left = left, joined = joined, at = at, queue = job[QUEUE],
      jids = {}, old_members = job[FROM_MEMBER] and {}, entries = {}, earliest = 2 ^ 53,
    }
    moves[way] = move
    moves[#moves + 1] = move
  end
  return move
end

-- What the changed jobs mean for the collections.
local function derive()
  local all_events = meta.events
  local moves, move = {}, nil
  local from, to, left, joined, count, score_text, last_score
  for index = 1, #changed do
    local job = changed[index]
    local key, score = place(job)
    local worker = job[STATE] == RUNNING and job[WORKER]
    if job[RARE] or all_events then
      event.derive(job)
    end
    if key ~= to or job[FROM] ~= from or worker ~= joined or job[FROM_WORKER] ~= left then
      move = move_of(moves, job, key, worker)
      from, to, left, joined = move.from, key, move.left, worker
      count, last_score = #move.jids, nil
    end
    count = count + 1
    move.jids[count] = job[JID]
    if move.old_members then
      move.old_members[count] = job[FROM_MEMBER]
    end
    if key then
      if score ~= last_score then
        last_score, score_text = score, text(score)
        if score < move.earliest then
          move.earliest = score
        end
      end
      move.entries[2 * count - 1] = score_text
      move.entries[2 * count] = move.at == SCHEDULED and scheduled_member(job) or job[JID]
    end
  end
  return moves
end

-- A scheduled job that stays in its zset under the name that it had there must not be taken out of it.
local function write_old_members(move)
  local stays, gone = {}, {}
  for index = 2, move.from == move.to and #move.entries or 0, 2 do
    stays[move.entries[index]] = true
  end
  for _, member in ipairs(move.old_members) do
    if not stays[member] then
      gone[#gone + 1] = member
    end
  end
  call_sliced('ZREM', move.from, gone)
end

local function write_arrival(move)
  local to, joined = move.to, move.joined
  if to then
    call_sliced('ZADD', to, move.entries, 2)
  end
  if joined and to == keys.running(move.queue) then -- in grace the lease's end stays what it was
    call_sliced('ZADD', keys.worker_jobs(joined), move.entries, 2)
  end
  if move.at == RUNNING or move.at == SCHEDULED then
    call('ZADD', keys.due(), 'LT', text(move.earliest), move.queue)
  end
end

local function write_departure(move)
  local from, left = move.from, move.left
  if move.old_members then
    write_old_members(move)
  elseif from and from ~= move.to then
    call_sliced('ZREM', from, move.jids)
  end
  if left and left ~= move.joined then
    call_sliced('ZREM', keys.worker_jobs(left), move.jids)
  end
end

local function delete_gone()
  local names = {}
  for index = 1, #changed do
    local job = changed[index]
    if job[STATE] == GONE or job[REPLACED] then
      record.name_keys(job, names)
    end
  end
  for first = 1, #names, MAX_SLICE do
    call('UNLINK', unpack(names, first, min(first + MAX_SLICE - 1, #names)))
  end
end

local function write_records()
  local names_and_records, length = {}, 0
  delete_gone()
  for index = 1, #changed do
    local job = changed[index]
    if job[STATE] ~= GONE then
      names_and_records[length + 1] = job[NAME]
      names_and_records[length + 2] = record.encode(job)
      length = length + 2
    end
  end
  for first = 1, length, 2 * MAX_SLICE do
    call('MSET', unpack(names_and_records, first, min(first + 2 * MAX_SLICE - 1, length)))
  end
end

-- The throttles of queues that a job left, or that one called forward passed by.
local function note_freed_queues(moves, freed)
  for _, move in ipairs(moves) do
    local kind, queue = keys.parts(move.from or ns)
    if (kind == 'running' or kind == 'grace' or kind == 'waiting') and not (move.at == RUNNING and move.queue == queue) then
      freed[throttle.of_queue(queue)] = true
    end
  end
end

-- Says what entered the queues: a new queue to workers on patterns, work to a worker that waits.
local function announce(moves)
  local entered, woken = {}, {}
  for _, move in ipairs(moves) do
    local queue = move.queue
    if move.at == WAITING then
      entered[queue], woken[queue] = true, true
    elseif move.at == SCHEDULED then
      entered[queue] = true
      local head = call('ZRANGE', keys.scheduled(queue), '0', '0', 'WITHSCORES')
      woken[queue] = woken[queue] or tonumber(head[2]) == move.earliest or nil
    elseif move.at == BLOCKED then
      entered[queue] = true
    end
  end
  local names = {}
  for queue in pairs(entered) do
    names[#names + 1] = queue
  end
  queues.know_all(names)
  for queue in pairs(woken) do
    state.wake(queue)
  end
end

-- Where the jobs are, and who is told; fails only on a key of another type.
local function write_places(moves)
  for index = 1, #moves do
    write_arrival(moves[index])
  end
  for index = 1, #moves do
    write_departure(moves[index])
  end
  announce(moves)
  stats.flush()
end

-- Back to where the records say: they are not yet written.
local function restore_places()
  for index = 1, #changed do
    local job = changed[index]
    local key, joined = place(job), job[STATE] == RUNNING and job[WORKER]
    local stored = call('GET', job[NAME])
    local old = stored and record.decode(stored, job[JID], job[NAME])
    if key then
      redis.pcall('ZREM', key, state.member_of(job))
    end
    if joined then
      redis.pcall('ZREM', keys.worker_jobs(joined), job[JID])
    end
    if old then
      local old_key, score = place(old)
      redis.pcall('ZADD', old_key, text(score), state.member_of(old))
      if old[STATE] == RUNNING then
        redis.pcall('ZADD', keys.worker_jobs(old[WORKER]), text(old[LEASE_UNTIL]), job[JID])
      end
    end
  end
end

-- Writes everything that changed since begin or the last commit, or nothing: a key of another type is met before the first
-- record is written. The unit is over: jobs in hand are read anew.
function state.commit()
  if #changed == 0 then
    return
  end
  draw_places()
  local moves, freed = derive(), {}
  local stands = standing.plan(changed, freed)
  local ok, problem = pcall(write_places, moves)
  if not ok then
    restore_places()
    error(redis.error_reply(problem.err or problem))
  end
  note_freed_queues(moves, freed)
  if stands then
    standing.write(stands)
  end
  write_records()
  event.flush()
  state.begin()
  if next(freed) then
    on_freed(freed)
  end
end

-- The jobs of what stands in the zset `key`; a member whose record stands elsewhere, or nowhere, is dropped there.
function state.jobs_of(key, members, jids)
  local found, count = {}, 0
  state.load_all(jids)
  for index = 1, #jids do
    local job = jobs[jids[index]]
    if job and job[STATE] ~= GONE and job[FROM] == key then
      count = count + 1
      found[count] = job
    else
      call('ZREM', key, members[index])
    end
  end
  return found
end

return state
