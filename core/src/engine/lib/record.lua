-- A job's record: one string, a packed array of fields (see prelude.lua) followed by the payload,
-- or by nothing when the payload is large and lives in a key of its own.
-- One key instead of a hash and a string: 358 bytes a waiting job instead of 505, and two commands
-- a transition instead of three.
local record = {}

-- Payloads up to this size ride with the record; larger ones would be copied at every transition.
local INLINE_BYTES = 512

-- The job and its inline payload, or nil.
function record.load(jid)
  local stored = call('GET', keys.job(jid))
  if not stored then
    return nil
  end
  local offset, job = unpack_one(stored)
  if type(job) ~= 'table' then
    fail('INTERNAL', 'the record of job ' .. jid .. ' is not one of ours')
  end
  return job, offset > 0 and sub(stored, offset + 1) or nil
end

-- Defaults (false, 0) at the end are not stored.
local function encode(job)
  local last = FIELD_COUNT
  while not job[last] or job[last] == 0 do
    job[last] = nil
    last = last - 1
  end
  for place = 1, last do
    job[place] = job[place] or false
  end
  return pack(job)
end

function record.save(jid, job, payload)
  if payload and #payload > INLINE_BYTES then
    call('SET', keys.data(jid), payload)
    job[FLAGS] = bor(job[FLAGS] or 0, HAS_DATA)
    payload = nil
  elseif payload and record.has(job, HAS_DATA) then
    call('DEL', keys.data(jid))
    job[FLAGS] = job[FLAGS] - HAS_DATA
  end
  call('SET', keys.job(jid), payload and (encode(job) .. payload) or encode(job))
end

-- The payload, wherever it is.
function record.payload(jid, job, inline)
  if record.has(job, HAS_DATA) then
    return call('GET', keys.data(jid)) or 'null'
  end
  return inline or 'null'
end

function record.has(job, flag)
  return band(job[FLAGS] or 0, flag) ~= 0
end

function record.mark(job, flag)
  job[FLAGS] = bor(job[FLAGS] or 0, flag)
end

function record.unmark(job, flag)
  if record.has(job, flag) then
    job[FLAGS] = job[FLAGS] - flag
  end
end

function record.delete(jid)
  call('UNLINK', keys.job(jid), keys.data(jid), keys.history(jid), keys.result(jid), keys.failure(jid))
end

function record.priority(job)
  return 127 - floor(job[SCORE] / 2 ^ 45)
end

function record.ready_at(job)
  local ready_at = job[READY_AT]
  return ready_at and ready_at ~= 0 and ready_at or job[PUT_AT]
end

return record
