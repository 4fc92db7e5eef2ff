-- A job's record: one string, the packed fields of prelude.lua one after the other, up to the last that is set.
-- A small payload is its first field; a large one lives in a key of its own.
-- One key instead of a hash and a string: 360 bytes a waiting job instead of 505, and a batch is read
-- with one MGET and written with one MSET.
local record = {}

-- Payloads up to this size ride with the record; larger ones would be copied at every transition.
local INLINE_BYTES = 512

function record.decode(stored)
  return { unpack_all(stored) }
end

function record.encode(job)
  local last = FIELD_COUNT
  if not (job[GRACE_UNTIL] or job[HISTORY_COUNT] or job[SNOOZES] or job[TAGS] or job[ROUTE] or job[GROUP]) then
    last = job[TOKEN] and RUN_MS or REMAINING -- the plain life of a job
  end
  while job[last] == nil do
    last = last - 1
  end
  return pack(unpack(job, 1, last))
end

-- A new job, in no state yet.
function record.new(kind, queue, priority, retries)
  return { nil, nil, kind, queue, (127 - priority) * 2 ^ 45, now, nil, retries ~= RETRIES_DEFAULT and retries or nil }
end

function record.load(jid)
  local stored = call('GET', keys.job(jid))
  return stored and record.decode(stored) or nil
end

function record.has(job, flag)
  local flags = job[FLAGS]
  return flags ~= nil and band(flags, flag) ~= 0
end

function record.mark(job, flag)
  job[FLAGS] = bor(job[FLAGS] or 0, flag)
end

function record.unmark(job, flag)
  if record.has(job, flag) then
    job[FLAGS] = job[FLAGS] - flag
  end
end

-- The payload, wherever it is.
function record.payload(jid, job)
  return job[DATA] or call('GET', keys.data(jid)) or 'null'
end

function record.set_payload(jid, job, payload)
  if #payload > INLINE_BYTES then
    call('SET', keys.data(jid), payload)
    record.mark(job, HAS_DATA)
    job[DATA] = nil
  else
    if record.has(job, HAS_DATA) then
      call('DEL', keys.data(jid))
      record.unmark(job, HAS_DATA)
    end
    job[DATA] = payload
  end
end

function record.delete(jid)
  call('UNLINK', keys.job(jid), keys.data(jid), keys.history(jid), keys.result(jid), keys.failure(jid))
end

function record.priority(job)
  return 127 - floor(job[SCORE] / 2 ^ 45)
end

function record.retries(job)
  return job[RETRIES] or RETRIES_DEFAULT
end

function record.remaining(job)
  return job[REMAINING] or record.retries(job)
end

-- When the job became waiting, or becomes it.
function record.ready_at(job)
  return job[READY_AT] or job[PUT_AT]
end

return record
