-- The only place where a job changes state.
--
-- The record is the truth; every collection is an index derived from it by `place`. A call loads
-- jobs, changes them through the transitions below, and `commit` compares each job's place
-- before and after: collections first, records after, wake tokens and `due` with them. One job or
-- a thousand, from whichever operation: the same few commands, so no two places can disagree.
local state = {}

local SOME = 100

-- The unit in progress: jid -> job (false: looked for and not there; a text: its new record, as it has passed), the changed
-- ones in order of first touch, those that want a new place in line, and the moves of those that have passed.
local jobs, changed, placeless, moves

-- Those that have passed and are not yet among `jobs`: from which place to which of a list of jids and one of new records; and
-- those before them.
local unseen

-- Names and contents of what is to be written with the records; names of what is deleted then; what is to be done after that.
local texts, gone, acts

-- What to do after a commit that let go of throttles.
local on_freed

function state.when_freed(act)
  on_freed = act
end

function state.begin()
  jobs, moves, texts, gone, unseen = {}, {}, {}, {}, nil
  if not changed or #changed > 0 or #placeless > 0 or #acts > 0 then
    changed, placeless, acts = {}, {}, {}
  end
  place.begin()
  stats.begin()
  history.begin()
  event.begin()
end

-- Refuses a bad jid: mostly it has only such bytes as no name is refused for.
local PLAIN_JID = '^[\32-\126]+$'

function state.check_jid(jid)
  if not find(jid, PLAIN_JID) or #jid > MAX_NAME then
    check.name(jid, 'jid') -- says what is wrong
  end
end

-- The same of many, without a call for each.
function state.check_jids(jids)
  for index = 1, #jids do
    local jid = jids[index]
    if not find(jid, PLAIN_JID) or #jid > MAX_NAME then
      check.name(jid, 'jid')
    end
  end
end

-- Keeps where a job stands as it is loaded.
local function note_place(job)
  local at = job[STATE]
  job[FROM] = place.of(job)
  if at == RUNNING then
    job[FROM_WORKER], job[SHARES] = job[WORKER], nil -- in hand it stands by itself
  elseif at == SCHEDULED then
    job[FROM_MEMBER] = place.member_of(job)
  end
  if job[RARE] then
    job[FROM_STANDS] = standing.of(job)
  end
end

local function take_in_hand(jid, name, stored)
  local job = record.decode(stored, jid, name)
  note_place(job)
  jobs[jid] = job
  return job
end

-- What has passed is in hand too, as the text it became, from when the unit looks at a job again.
local function see_passed()
  while unseen do
    for index = unseen.first, unseen.last do
      jobs[unseen.jids[index]] = unseen.records[index]
    end
    unseen = unseen.before
  end
end

local function load_slice(jids, first, last)
  if unseen then
    see_passed()
  end
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
      if text_of_job then
        take_in_hand(jid, names[index], text_of_job)
      else
        state.check_jid(jid) -- one that has a record was checked when it was put
        jobs[jid] = false
      end
    end
  end
end

-- Loads the jobs of a batch in one command a slice; `state.load` then finds them. Refuses a bad jid.
function state.load_all(jids)
  for first = 1, #jids, MAX_SLICE do
    load_slice(jids, first, min(first + MAX_SLICE - 1, #jids))
  end
end

-- Loads some jobs of a batch, from `first` on, for a loop that may have to stop before it has all. How far.
function state.load_some(jids, first)
  local last = min(first + SOME - 1, #jids)
  load_slice(jids, first, last)
  return last
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
  if unseen then
    see_passed()
  end
  local job = jobs[jid]
  if job == nil then
    state.load_all({ jid })
    job = jobs[jid]
  elseif job and not job[STATE] then -- a text
    job = take_in_hand(jid, keys.job(jid), job)
  end
  return job and job[STATE] ~= GONE and job or nil
end

local function touch(job)
  if not job[CHANGED] then
    job[CHANGED] = true
    changed[#changed + 1] = job
  end
end
state.touch = touch

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
  job[SCORE] = job[SCORE] % SEQ_SPAN - priority * SEQ_SPAN
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

-- ## Plain jobs
--
-- Most jobs have nothing but what each has (lib/record.lua, plain records). A batch of them that goes one way needs no jobs
-- in hand: their records are rewritten as texts, and one move is noted for all. That saves a third of what put, reserve and
-- complete cost. Events are made of jobs in hand: where there are any, none may pass.

-- The keys of the records of a batch; what is stored there, false where there is none. Refuses a bad jid.
function state.read(jids)
  local prefix, names = keys.job(''), {}
  for index = 1, #jids do
    names[index] = prefix .. jids[index]
  end
  local stored = #names > 0 and call('MGET', unpack(names)) or {}
  for index = 1, #jids do
    if not stored[index] then
      state.check_jid(jids[index])
    end
  end
  return names, stored
end

-- Takes in hand what was read.
function state.hold(jid, name, stored)
  if unseen then
    see_passed()
  end
  if jobs[jid] == nil then
    jobs[jid] = stored and take_in_hand(jid, name, stored)
  end
end

-- The move of all that pass from one place and worker to another; their first score there; since when {ns}:due has the queue,
-- where that is known.
function state.way(from, to, left, joined, at, queue, earliest, due)
  local way = commit.move(moves, from, to, left, joined, at, queue)
  way.earliest, way.due = min(way.earliest, earliest), due
  return way
end

-- Those from place `first` to `last` of the jids, of their keys and of their new records go that way, no jid twice in a unit. All
-- have the same score, a text; or, where there is none, each its own of a list.
function state.pass(way, first, last, jids, names, records, score_text, scores)
  if first == 1 and last == #jids and #way.jids == 0 then
    way.jids = jids -- a list need not be copied
  end
  local passing, entries, to_write, written = way.jids, way.entries, texts, #texts
  local passed = passing == jids and 0 or #passing
  for index = first, last do
    local jid = jids[index]
    passed, written = passed + 1, written + 2
    passing[passed] = jid
    entries[2 * passed - 1] = score_text or scores[index]
    entries[2 * passed] = jid
    to_write[written - 1] = names[index]
    to_write[written] = records[index]
  end
  unseen = { first = first, last = last, jids = jids, records = records, before = unseen }
end

-- Forgets completed jobs, which are the first of all.
function state.forget_completed(jids)
  local names, stored = state.read(jids)
  local key, plain = keys.completed(), {}
  for index = 1, #jids do
    local jid, flags = jids[index], stored[index] and record.ended_flags(stored[index])
    if flags then
      plain[#plain + 1], gone[#gone + 1] = jid, names[index]
      if flags ~= 0 then
        record.name_apart(jid, flags, gone)
      end
    else
      state.hold(jid, names[index], stored[index])
      local job = state.job_of(key, jid, jid)
      if job then
        state.forget(job)
      end
    end
  end
  if #plain > 0 then
    local way = state.way(key, false, false, false, GONE, '', now)
    way.jids, way.from_head = plain, #plain == #jids and #plain or 0
  end
end

-- The jobs in hand, by jid; nil when there are none.
function state.in_hand()
  return next(jobs) and jobs
end

-- A plain job may go without a unit, by itself, where no event tells of it and nobody waits for a throttle that it lets go of.
function state.may_go_alone()
  return not meta.events and not uses.has('throttles')
end

-- These write at once, or nothing.
state.put_alone, state.run_alone, state.complete_alone = commit.enter_one, commit.start_one, commit.complete_one

-- ## The unit's end

-- Has the commit write a text that lives beside a changed job.
function state.set_text(key, content)
  local length = #texts
  texts[length + 1], texts[length + 2] = key, content
end

-- Has something written by the commit after the records, or not at all when it fails: what is no collection of jobs.
function state.later(act)
  acts[#acts + 1] = act
end

-- Writes everything that changed since begin or the last commit, or nothing. The unit is over: jobs in hand are read anew.
function state.commit()
  if #changed == 0 and #acts == 0 and #moves == 0 then
    return
  end
  local freed = commit.write(changed, placeless, moves, texts, gone)
  for index = 1, #acts do
    acts[index]()
  end
  state.begin()
  if next(freed) then
    on_freed(freed)
  end
end

local function answer_of(what, name, ok, ...)
  if ok then
    return ...
  end
  warn(what, name, (...))
  state.begin()
end

-- What `act` answers, which does one or more units of its own. nil when it fails, as a key of `what` it is about, called
-- `name`, is of another type: then the unit that failed has changed nothing, and the call goes on with another.
function state.attempt(what, name, act, ...)
  return answer_of(what, name, pcall(act, ...))
end

-- The job of one of them, or nil.
function state.job_of(key, member, jid)
  local job = state.load(jid)
  if job and job[FROM] == key then
    return job
  end
  call('ZREM', key, member)
end

-- The jobs of what stands in the zset `key`; a member whose record stands elsewhere, or nowhere, is dropped there.
function state.jobs_of(key, members, jids)
  local found, count = {}, 0
  state.load_all(jids)
  for index = 1, #jids do
    local job = state.job_of(key, members[index], jids[index])
    if job then
      count = count + 1
      found[count] = job
    end
  end
  return found
end

return state
