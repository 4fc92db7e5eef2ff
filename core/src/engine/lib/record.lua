-- A job's record: one string of up to four parts.
--
--   always        the fields from STATE to QUEUE, after a byte that says which of the next two are there
--   once run      the fields from TOKEN to WORKER
--   if any        RARE, packed
--   to its end    the payload; a large one lives in a key of its own
--
-- One key instead of a hash and a string: a quarter less memory for a waiting job, and a batch is read with one
-- MGET and written with one MSET. Fixed fields by `struct` take a third of what cmsgpack takes, which makes a
-- string of every field. Names end with a NUL: they have no control characters.
local record = {}

-- Payloads up to this size ride with the record; larger ones would be copied at every transition.
local INLINE_BYTES = 512

local HAS_RUN, HAS_RARE = 1, 2

-- Which text of a job a flag says is in a key of its own.
local KEPT_APART = { [HAS_DATA] = keys.data, [HAS_RESULT] = keys.result, [HAS_FAILURE] = keys.failure, [HAS_HISTORY] = keys.history }
local BASE, RUN, BASE_AND_RUN = '<BBBddss', '<dddds', '<BBBddssdddds'

function record.decode(stored, jid, name)
  local parts, at, flags, score, put_at, kind, queue, data_at = from_bytes(BASE, stored)
  local token, reserved_at, until_ms, run_ms, worker, rare
  if parts == HAS_RUN or parts == HAS_RUN + HAS_RARE then
    token, reserved_at, until_ms, run_ms, worker, data_at = from_bytes(RUN, stored, data_at)
  end
  if parts >= HAS_RARE then
    data_at, rare = unpack_one(stored, data_at - 1)
    data_at = data_at < 0 and #stored + 1 or data_at + 1
  end
  local data = sub(stored, data_at)
  return {
    at, flags, score, put_at, kind, queue, token, reserved_at, until_ms, run_ms, worker,
    data ~= '' and data or nil, rare, jid, name, false, false, false,
  }
end

-- A new job, in no state yet.
function record.new(jid, name, kind, queue, priority, data)
  return {
    GONE, 0, (127 - priority) * SEQ_SPAN, now, kind, queue, nil, nil, nil, nil, nil,
    data, nil, jid, name, false, false, false,
  }
end

-- The fields of a run under `token`; a job that never ran has none of them.
function record.set_run(job, token)
  job[TOKEN], job[RESERVED_AT], job[LEASE_UNTIL], job[RUN_MS], job[WORKER] = token, 0, 0, 0, ''
end

-- Puts the payload where it belongs by its size.
local function settle_payload(job)
  if #job[DATA] > INLINE_BYTES then
    call('SET', keys.data(job[JID]), job[DATA])
    record.mark(job, HAS_DATA)
    job[DATA] = nil
  elseif record.has(job, HAS_DATA) then
    call('DEL', keys.data(job[JID]))
    record.unmark(job, HAS_DATA)
  end
end

function record.encode(job)
  if job[DATA] and (job[FLAGS] ~= 0 or #job[DATA] > INLINE_BYTES) then
    settle_payload(job)
  end
  local rare, head = job[RARE]
  if job[TOKEN] then
    head = to_bytes(BASE_AND_RUN, HAS_RUN + (rare and HAS_RARE or 0), unpack(job, STATE, WORKER))
  else
    head = to_bytes(BASE, rare and HAS_RARE or 0, unpack(job, STATE, QUEUE))
  end
  if rare then
    head = head .. pack(rare)
  end
  return head .. (job[DATA] or '')
end

-- Jobs by jid, false where there is none, for readers.
function record.load_many(jids)
  local names, jobs = {}, {}
  for index = 1, #jids do
    names[index] = keys.job(jids[index])
  end
  local stored = #names > 0 and call('MGET', unpack(names)) or {}
  for index = 1, #names do
    jobs[index] = stored[index] and record.decode(stored[index], jids[index], names[index])
  end
  return jobs
end

function record.load(jid)
  local name = keys.job(jid)
  local stored = call('GET', name)
  return stored and record.decode(stored, jid, name) or nil
end

function record.has(job, flag)
  local flags = job[FLAGS]
  return flags ~= 0 and band(flags, flag) ~= 0
end

function record.mark(job, flag)
  job[FLAGS] = bor(job[FLAGS], flag)
end

function record.unmark(job, flag)
  if record.has(job, flag) then
    job[FLAGS] = job[FLAGS] - flag
  end
end

-- A field of RARE, nil where the default holds.
function record.rare(job, field)
  return job[RARE] and job[RARE][field]
end

function record.set_rare(job, field, value)
  local rare = job[RARE]
  if rare then
    rare[field] = value
    if next(rare) == nil then
      job[RARE] = nil
    end
  elseif value ~= nil then
    job[RARE] = { [field] = value }
  end
end

-- The payload, wherever it is.
function record.payload(job)
  return job[DATA] or call('GET', keys.data(job[JID])) or 'null'
end

-- Appends the keys of a job that goes to `names`. What takes the place of another does not know what that one had.
function record.name_keys(job, names)
  local jid, replaced, count = job[JID], job[REPLACED], #names
  names[count + 1] = job[NAME]
  if replaced or job[FLAGS] ~= 0 then
    for flag, name_of in pairs(KEPT_APART) do
      if replaced or record.has(job, flag) then
        names[#names + 1] = name_of(jid)
      end
    end
  end
end

function record.priority(job)
  return 127 - floor(job[SCORE] / SEQ_SPAN)
end

function record.retries(job)
  return record.rare(job, RETRIES) or RETRIES_DEFAULT
end

function record.remaining(job)
  return record.rare(job, REMAINING) or record.retries(job)
end

-- When the job became waiting, or becomes it.
function record.ready_at(job)
  return job[RARE] and job[RARE][READY_AT] or job[PUT_AT]
end

return record
