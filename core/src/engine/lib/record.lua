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

-- ## Plain records
--
-- Most jobs have nothing in RARE and no text of their own beside a large payload. A record of that kind is rewritten as
-- the text it is, without a job in hand (lib/state.lua): its first three bytes are the parts, the state and the flags.

-- What jobs of a kind that are put now have in common.
function record.plain_about(kind, queue)
  return to_bytes('<dss', now, kind, queue)
end

-- The record of a new job that waits; a large payload is not in it, but the second value.
function record.plain_new(score, about, data)
  if #data > INLINE_BYTES then
    return '\0\1\1' .. to_bytes('<d', score) .. about, data
  end
  return '\0\1\0' .. to_bytes('<d', score) .. about .. data
end

-- The same of one that comes alone.
function record.plain_one(score, kind, queue, data)
  if #data > INLINE_BYTES then
    return to_bytes(BASE, 0, WAITING, HAS_DATA, score, now, kind, queue), data
  end
  return to_bytes(BASE, 0, WAITING, 0, score, now, kind, queue) .. data
end

-- Of a plain job that waits, is of priority 0 and never ran: its queue and kind, when it was put, where its payload begins
-- (behind the end when it is large). nil of any other.
function record.plain_waiting(stored)
  local parts, at, flags, score, put_at, kind, queue, data_at = from_bytes(BASE, stored)
  if parts == 0 and at == WAITING and flags <= HAS_DATA and floor(score / SEQ_SPAN) == 127 then
    return queue, kind, put_at, data_at
  end
end

-- What jobs that are reserved by one call have in common.
function record.plain_run(token, lease_until, worker)
  return to_bytes(RUN, token, now, lease_until, 0, worker)
end

-- The record of plain_waiting, with its payload, running.
function record.plain_running(stored, data_at, run, data)
  return '\1\5' .. sub(stored, 3, data_at - 1) .. run .. data
end

-- What jobs that are completed now after the same time have in common.
function record.plain_end(run_ms)
  return to_bytes('<dd', now, run_ms)
end

-- By the flags that it had: what it begins with when it is completed without and with a result.
local COMPLETED_HEADS = { [0] = '\1\7\0', [HAS_DATA] = '\1\7\1' }
local RESULT_HEADS = { [0] = '\1\7\2', [HAS_DATA] = '\1\7\3' }

-- Of a plain job that runs under `token` and is not in grace: its record when it is completed, its queue, its worker, when it
-- was put. nil of any other.
function record.plain_completed(stored, token, ended, has_result)
  local parts, at, flags = byte(stored, 1, 3)
  if parts ~= HAS_RUN or at ~= RUNNING or flags > HAS_DATA then
    return nil
  end
  local _, _, _, _, put_at, _, queue, held, _, _, _, worker, data_at = from_bytes(BASE_AND_RUN, stored)
  if held == token then
    local until_at, heads = data_at - #worker - 17, has_result and RESULT_HEADS or COMPLETED_HEADS
    return heads[flags] .. sub(stored, 4, until_at - 1) .. ended .. sub(stored, until_at + 16), queue, worker, put_at
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
