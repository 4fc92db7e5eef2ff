-- A job's record: one string, the packed fields of prelude.lua one after the other, up to the last that is set.
-- A small payload is its first field; a large one lives in a key of its own.
-- One key instead of a hash and a string: 360 bytes a waiting job instead of 505, and a batch is read
-- with one MGET and written with one MSET.
local record = {}

-- Payloads up to this size ride with the record; larger ones would be copied at every transition.
local INLINE_BYTES = 512

-- Room for every field is made at once: a table that grows, were it by a nil, costs more than the places left empty.
function record.decode(stored)
  local data, at, kind, queue, score, put_at, token, worker, reserved_at, lease_until, run_ms,
    ready_at, retries, remaining, flags, grace_until, lost_reason, history_count, snoozes, tags, route, group = unpack_all(stored)
  return {
    data, at, kind, queue, score, put_at, token, worker, reserved_at, lease_until, run_ms,
    ready_at, retries, remaining, flags, grace_until, lost_reason, history_count, snoozes, tags, route, group,
  }
end

local function has_rare_fields(job)
  return job[READY_AT] or job[RETRIES] or job[REMAINING] or job[FLAGS] or job[GRACE_UNTIL]
    or job[LOST_REASON] or job[HISTORY_COUNT] or job[SNOOZES] or job[TAGS] or job[ROUTE] or job[GROUP]
end

function record.encode(job)
  local last = has_rare_fields(job) and FIELD_COUNT or RUN_MS
  while job[last] == nil do
    last = last - 1
  end
  return pack(unpack(job, 1, last))
end

-- A new job, in no state yet.
function record.new(kind, queue, priority, retries)
  return {
    nil, nil, kind, queue, (127 - priority) * 2 ^ 45, now, nil, nil, nil, nil, nil,
    nil, retries ~= RETRIES_DEFAULT and retries or nil, nil, nil, nil, nil, nil, nil, nil, nil, nil,
  }
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
