-- A job's record: one string of up to six parts.
--
--   always        STATE, in a byte with what says which of the parts that may be missing are there, and of a priority; FLAGS
--   once run      the fields from TOKEN to WORKER
--   always        QUEUE
--   always        what is said of the job to whom it is given: PUT_AT, KIND and SCORE, as texts, PUT_AT in base 36
--   if any        RARE, packed
--   to its end    the payload; a large one lives in a key of its own
--
-- What changes with each step comes first, then what the jobs of a batch mostly have in common: their records begin with the
-- same bytes, and a batch is read by comparing them. What follows is passed on as it is, from the put to the end. One key instead
-- of a hash and a string: a quarter less memory for a waiting job, and a batch is read with one MGET and written with one MSET.
-- Fixed fields by `struct` take a third of what cmsgpack takes, which makes a string of every field. Texts end with a NUL: names
-- have no control characters.
local record = {}

-- Beside STATE in the first byte.
local HAS_RUN, HAS_RARE, HAS_PRIORITY, HAS_SHARED_LEASE = 8, 16, 32, 64

-- Which text of a job a flag says is in a key of its own.
local KEPT_APART = { [HAS_DATA] = keys.data, [HAS_RESULT] = keys.result, [HAS_FAILURE] = keys.failure, [HAS_HISTORY] = keys.history }
local ALL_APART = HAS_DATA + HAS_RESULT + HAS_FAILURE + HAS_HISTORY
local HEAD, RUN_HEAD, ABOUT = '<BBs', '<BBddddss', '<sss'

-- An instant in base 36: 8 digits until 2059, where decimal ones would make most records 16 bytes larger. All but the last two
-- digits stay the same for a second.
local BASE, PAIR, DIGITS = 36, 1296, '0123456789abcdefghijklmnopqrstuvwxyz'
local pairs_of_digits, last_high, last_prefix = {}, nil, nil

local function two_digits(number)
  local known = pairs_of_digits[number]
  if not known then
    local high, low = floor(number / BASE) + 1, number % BASE + 1
    known = sub(DIGITS, high, high) .. sub(DIGITS, low, low)
    pairs_of_digits[number] = known
  end
  return known
end

local function digits_of(instant)
  local low = instant % PAIR
  local high = instant - low
  if high ~= last_high then
    local prefix, rest = '', high / PAIR
    while rest > 0 do
      local two = rest % PAIR
      prefix, rest = two_digits(two) .. prefix, (rest - two) / PAIR
    end
    last_high, last_prefix = high, prefix
  end
  return last_prefix .. two_digits(low)
end

function record.decode(stored, jid, name)
  local first = byte(stored)
  local _, flags, token, reserved_at, until_ms, run_ms, worker, queue, own_at, rare
  if first % HAS_RARE >= HAS_RUN then
    _, flags, token, reserved_at, until_ms, run_ms, worker, queue, own_at = from_bytes(RUN_HEAD, stored)
  else
    _, flags, queue, own_at = from_bytes(HEAD, stored)
  end
  local put_at, kind, score, data_at = from_bytes(ABOUT, stored, own_at)
  if first % HAS_PRIORITY >= HAS_RARE then
    data_at, rare = unpack_one(stored, data_at - 1)
    data_at = data_at < 0 and #stored + 1 or data_at + 1
  end
  local data = sub(stored, data_at)
  local job = {
    first % HAS_RUN, flags, token, reserved_at, until_ms, run_ms, worker, queue, tonumber(put_at, BASE), kind, tonumber(score),
    data ~= '' and data or nil, rare, jid, name, false, false, false,
  }
  if first >= HAS_SHARED_LEASE then
    job[SHARES] = true
  end
  return job
end

-- A new job, in no state yet.
function record.new(jid, name, kind, queue, priority, data)
  return {
    GONE, 0, nil, nil, nil, nil, nil, queue, now, kind, -priority * SEQ_SPAN,
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

-- What is said of a job, but for RARE and the payload.
function record.about(job)
  return digits_of(job[PUT_AT]) .. '\0' .. job[KIND] .. '\0' .. text(job[SCORE]) .. '\0'
end

function record.encode(job)
  if job[DATA] and (job[FLAGS] ~= 0 or #job[DATA] > INLINE_BYTES) then
    settle_payload(job)
  end
  local rare, score = job[RARE], job[SCORE]
  local first = job[STATE] + (rare and HAS_RARE or 0) + ((score < 0 or score >= SEQ_SPAN) and HAS_PRIORITY or 0)
  local head
  if job[TOKEN] then
    head = to_bytes(RUN_HEAD, HAS_RUN + first, unpack(job, FLAGS, QUEUE))
  else
    head = to_bytes(HEAD, first, job[FLAGS], job[QUEUE])
  end
  return head .. record.about(job) .. (rare and pack(rare) or '') .. (job[DATA] or '')
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
-- Most jobs have nothing in RARE, no priority and no text of their own beside a large payload. A record of that kind is
-- rewritten as the text it is, without a job in hand (lib/state.lua). Its head is what it begins with, up to PUT_AT: a record
-- that begins with its neighbour's head has all of that in common with it.
local FLAGS_AT = 2

-- What the record of a job that is put now begins with, up to SCORE; `far`: its payload is elsewhere.
function record.new_head(queue, kind, far)
  return (far and '\1\1' or '\1\0') .. queue .. '\0' .. digits_of(now) .. '\0' .. kind .. '\0'
end

-- Of a plain job that waits and never ran: its head and queue. nil of any other.
function record.waiting_head(stored)
  local first, flags, queue, own_at = from_bytes(HEAD, stored)
  if first == WAITING and flags <= HAS_DATA then
    return sub(stored, 1, own_at - 1), queue
  end
end

-- Whether those that begin so have their payload elsewhere.
function record.is_far(head)
  return byte(head, FLAGS_AT) == HAS_DATA
end

-- The head of jobs that have `head` when they are reserved; `shares`: under a shared lease.
function record.run_head(head, token, lease_until, worker, queue, shares)
  local first = HAS_RUN + RUNNING + (shares and HAS_SHARED_LEASE or 0)
  return to_bytes(RUN_HEAD, first, byte(head, FLAGS_AT), token, now, lease_until, 0, worker, queue)
end

-- Of a plain job, or one that has a priority, that runs under `token` and is not in grace: its head, queue and worker, when it
-- was reserved, whether it shares its lease. nil of any other.
function record.held_head(stored, token)
  local first, flags = byte(stored, 1, FLAGS_AT)
  local shares = first >= HAS_SHARED_LEASE
  first = first % HAS_SHARED_LEASE
  if (first ~= HAS_RUN + RUNNING and first ~= HAS_RUN + HAS_PRIORITY + RUNNING) or flags > HAS_DATA then
    return nil
  end
  local _, _, held, reserved_at, _, _, worker, queue, own_at = from_bytes(RUN_HEAD, stored)
  if held == token then
    return sub(stored, 1, own_at - 1), queue, worker, reserved_at, shares
  end
end

-- When the job was put whose head ends before `own_at`: how its record goes on there, and the number.
function record.put_at(stored, own_at)
  local since = from_bytes('<s', stored, own_at)
  return since .. '\0', tonumber(since, BASE)
end

-- The head of jobs that have `head` when they are completed.
function record.end_head(head, token, reserved_at, run_ms, worker, queue, has_result)
  local first, flags = byte(head, 1, FLAGS_AT)
  flags = has_result and flags + HAS_RESULT or flags
  return to_bytes(RUN_HEAD, first % HAS_SHARED_LEASE - RUNNING + COMPLETED, flags, token, reserved_at, now, run_ms, worker, queue)
end

-- Of a completed job that has nothing in RARE: its flags. nil of any other.
function record.ended_flags(stored)
  local first, flags = byte(stored, 1, FLAGS_AT)
  if first == HAS_RUN + COMPLETED or first == HAS_RUN + HAS_PRIORITY + COMPLETED then
    return flags
  end
end

-- Appends the keys of a job's own in which by these flags there is a text to `names`.
function record.name_apart(jid, flags, names)
  for flag, name_of in pairs(KEPT_APART) do
    if band(flags, flag) ~= 0 then
      names[#names + 1] = name_of(jid)
    end
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
  names[#names + 1] = job[NAME]
  if job[REPLACED] or job[FLAGS] ~= 0 then
    record.name_apart(job[JID], job[REPLACED] and ALL_APART or job[FLAGS], names)
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
