-- A job's record: one string of up to five parts.
--
--   always        STATE and FLAGS, after a byte that says which of the parts that may be missing are there
--   once run      the fields from TOKEN to WORKER
--   always        the fields from QUEUE to KIND
--   if any        RARE, packed
--   to its end    the payload; a large one lives in a key of its own
--
-- What changes with each step comes first, then what the jobs of a batch mostly have in common: their records begin with the
-- same bytes, and a batch is read by comparing them. One key instead of a hash and a string: a quarter less memory for a
-- waiting job, and a batch is read with one MGET and written with one MSET. Fixed fields by `struct` take a third of what
-- cmsgpack takes, which makes a string of every field. Names end with a NUL: they have no control characters.
local record = {}

local HAS_RUN, HAS_RARE = 1, 2

-- Which text of a job a flag says is in a key of its own.
local KEPT_APART = { [HAS_DATA] = keys.data, [HAS_RESULT] = keys.result, [HAS_FAILURE] = keys.failure, [HAS_HISTORY] = keys.history }
local BASE, BASE_AND_RUN = '<BBBsdds', '<BBBddddssdds'

function record.decode(stored, jid, name)
  local parts = byte(stored)
  local _, at, flags, token, reserved_at, until_ms, run_ms, worker, queue, put_at, score, kind, data_at, rare
  if parts % 2 == HAS_RUN then
    _, at, flags, token, reserved_at, until_ms, run_ms, worker, queue, put_at, score, kind, data_at =
      from_bytes(BASE_AND_RUN, stored)
  else
    _, at, flags, queue, put_at, score, kind, data_at = from_bytes(BASE, stored)
  end
  if parts >= HAS_RARE then
    data_at, rare = unpack_one(stored, data_at - 1)
    data_at = data_at < 0 and #stored + 1 or data_at + 1
  end
  local data = sub(stored, data_at)
  return {
    at, flags, token, reserved_at, until_ms, run_ms, worker, queue, put_at, score, kind,
    data ~= '' and data or nil, rare, jid, name, false, false, false,
  }
end

-- A new job, in no state yet.
function record.new(jid, name, kind, queue, priority, data)
  return {
    GONE, 0, nil, nil, nil, nil, nil, queue, now, -priority * SEQ_SPAN, kind,
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
    head = to_bytes(BASE_AND_RUN, HAS_RUN + (rare and HAS_RARE or 0), unpack(job, STATE, KIND))
  else
    head = to_bytes(BASE, rare and HAS_RARE or 0, job[STATE], job[FLAGS], unpack(job, QUEUE, KIND))
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
-- the text it is, without a job in hand (lib/state.lua). Its head is what it begins with, up to PUT_AT: a record that begins
-- with its neighbour's head has all of that in common with it. The first three bytes are the parts, the state and the flags.
local FLAGS_AT, HEAD, RUN_HEAD = 3, '<BBBs', '<BBBddddss'

-- What the records of jobs that are put now begin with, up to SCORE: with their payload behind, and with a large one elsewhere.
function record.new_heads(queue)
  local about = to_bytes('<sd', queue, now)
  return '\0\1\0' .. about, '\0\1\1' .. about
end

-- Of a plain job that waits and never ran: its head and queue. nil of any other.
function record.waiting_head(stored)
  local parts, at, flags, queue, own_at = from_bytes(HEAD, stored)
  if parts == 0 and at == WAITING and flags <= HAS_DATA then
    return sub(stored, 1, own_at - 1), queue
  end
end

-- The head of jobs that have `head` when they are reserved.
function record.run_head(head, token, lease_until, worker, queue)
  return to_bytes(RUN_HEAD, HAS_RUN, RUNNING, byte(head, FLAGS_AT), token, now, lease_until, 0, worker, queue)
end

-- Of a plain job that runs under `token` and is not in grace: its head, queue and worker, when it was reserved. nil of any
-- other.
function record.held_head(stored, token)
  local parts, at, flags = byte(stored, 1, 3)
  if parts ~= HAS_RUN or at ~= RUNNING or flags > HAS_DATA then
    return nil
  end
  local _, _, _, held, reserved_at, _, _, worker, queue, own_at = from_bytes(RUN_HEAD, stored)
  if held == token then
    return sub(stored, 1, own_at - 1), queue, worker, reserved_at
  end
end

-- The head of jobs that have `head` when they are completed.
function record.end_head(head, token, reserved_at, run_ms, worker, queue, has_result)
  local flags = byte(head, FLAGS_AT)
  flags = has_result and flags + HAS_RESULT or flags
  return to_bytes(RUN_HEAD, HAS_RUN, COMPLETED, flags, token, reserved_at, now, run_ms, worker, queue)
end

-- ## A plain job alone, which has nothing in common with others

-- The record of a new job; a large payload is not in it, but the second value.
function record.plain_one(score, kind, queue, data)
  if #data > INLINE_BYTES then
    return to_bytes(BASE, 0, WAITING, HAS_DATA, queue, now, score, kind), data
  end
  return to_bytes(BASE, 0, WAITING, 0, queue, now, score, kind) .. data
end

-- Of one of priority 0 that waits and never ran: its queue and kind, when it was put, its payload ('' when it is large), and
-- what else `running_one` needs. nil of any other.
function record.waiting_one(stored)
  if byte(stored) ~= 0 then
    return nil
  end
  local _, at, flags, queue, put_at, score, kind, data_at = from_bytes(BASE, stored)
  if at == WAITING and flags <= HAS_DATA and score >= 0 and score < SEQ_SPAN then
    return queue, kind, put_at, sub(stored, data_at), flags, score
  end
end

-- Its record when it runs.
function record.running_one(token, lease_until, worker, queue, kind, put_at, data, flags, score)
  return to_bytes(BASE_AND_RUN, HAS_RUN, RUNNING, flags, token, now, lease_until, 0, worker, queue, put_at, score, kind) .. data
end

-- Of one that runs under `token` and is not in grace: its record when it is completed, its queue and worker, when it was put.
-- nil of any other.
function record.completed_one(stored, token, run_ms, has_result)
  if byte(stored) ~= HAS_RUN then
    return nil
  end
  local _, at, flags, held, reserved_at, _, _, worker, queue, put_at, score, kind, data_at = from_bytes(BASE_AND_RUN, stored)
  if at == RUNNING and flags <= HAS_DATA and held == token then
    flags = has_result and flags + HAS_RESULT or flags
    local run = to_bytes(BASE_AND_RUN, HAS_RUN, COMPLETED, flags, token, reserved_at, now, run_ms, worker, queue, put_at, score, kind)
    return run .. sub(stored, data_at), queue, worker, put_at
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
  return 0 - floor(job[SCORE] / SEQ_SPAN) -- minus zero is another text
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
