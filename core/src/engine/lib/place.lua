-- Where a job stands: the one zset that tells its state, and its score there.
local place = {}

-- The last zset asked for and of what: neighbours in a batch mostly share it.
local last_state, last_queue, last_key

function place.begin()
  last_state = nil
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

-- Which zset tells where the job is, or which shared lease, and its score there; none, when it is forgotten.
function place.of(job)
  local at, queue, rare = job[STATE], job[QUEUE], job[RARE]
  if at == GONE then
    return false
  elseif job[SHARES] then
    return keys.lease(shared.name(job[TOKEN], queue)), job[LEASE_UNTIL]
  elseif rare then
    local other = rare[GRACE_UNTIL] or (at == SCHEDULED or at == BLOCKED) and rare[READY_AT]
    return zset_key(job), other or job[SCORE_FIELD[at]]
  elseif at ~= last_state or queue ~= last_queue then
    last_state, last_queue, last_key = at, queue, zset_key(job)
  end
  return last_key, job[SCORE_FIELD[at]]
end

-- A scheduled job is named in its zset with its seq before its jid: equal due times then stand in put order.
local SEQ_DIGITS = 12

local function scheduled_member(job)
  return format('%012x', job[SCORE] % SEQ_SPAN) .. job[JID]
end

-- What the job is called in its zset.
function place.member_of(job)
  return job[STATE] == SCHEDULED and scheduled_member(job) or job[JID]
end

-- The word and the name of a place; of a shared lease the ones of the zset in its stead.
function place.parts(key)
  local word, name = keys.parts(key)
  if word == 'lease' then
    return 'running', shared.queue_of(name)
  end
  return word, name
end

-- The jids of members of a zset of scheduled jobs.
function place.jids_of(members)
  local jids = {}
  for index = 1, #members do
    jids[index] = sub(members[index], SEQ_DIGITS + 1)
  end
  return jids
end

return place
