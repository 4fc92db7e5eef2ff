-- The top of the library: what every file shares.
--
-- While a library loads, Redis offers no redis.call, string, table or math; `bind` takes them as
-- locals at the first call. `open` begins each call: it reads `meta`, the clock and the once-record.
-- The context of the call in progress (ns, now, now_text, now_us, meta) is shared as plain locals: Redis
-- runs one function at a time.

local call, band, bor, byte, ceil, concat, decode_json, encode_json, find, floor, format, from_bytes
local match, max, min, null, pack, sub, to_bytes, unpack_all, unpack_one

-- The call in progress: key prefix `{ns}:`, the instant in ms as number and as text, the digits whose last three are the µs beyond
-- it, the meta fields.
local ns, now, now_text, now_us, meta

-- Filled in when the library is bundled.
local ENGINE_MAJOR, ENGINE_MINOR, ENGINE_HASH = '@major@', '@minor@', '@hash@'

-- A job in hand is an array. First what its record keeps, in the record's order (lib/record.lua); a job that
-- has not run yet has nothing from TOKEN to WORKER.
local STATE, FLAGS = 1, 2
local TOKEN, RESERVED_AT, LEASE_UNTIL, RUN_MS, WORKER = 3, 4, 5, 6, 7
local ENDED_AT = 5 -- in the place of LEASE_UNTIL: a job runs or has ended
local QUEUE, PUT_AT, KIND, SCORE = 8, 9, 10, 11
local DATA, RARE = 12, 13
-- Then what the call in progress knows of it (lib/state.lua).
local JID, NAME, FROM, FROM_WORKER, CHANGED, REPLACED = 14, 15, 16, 17, 18, 19
local FROM_MEMBER, FROM_STANDS = 20, 21 -- seldom set, as are
local WAITS_FOR, WAITED_BY, SATISFIED = 22, 23, 24 -- links of this call: set of jids, list of jids, how many are done with
local SHARES = 25 -- whether the record says that it shares its lease (lib/shared.lua): one that is written anew does not

-- What most jobs do not have, in a table at RARE, nil where it says what it says by default: READY_AT =
-- PUT_AT, RETRIES = RETRIES_DEFAULT, REMAINING = RETRIES. New fields are added at the end.
local READY_AT, RETRIES, REMAINING, GRACE_UNTIL, LOST_REASON = 1, 2, 3, 4, 5
local HISTORY_COUNT, SNOOZES, TAGS, ROUTE, GROUP = 6, 7, 8, 9, 10
local THROTTLES, PENDING, PARENT, TRACKED, PROGRESS = 11, 12, 13, 14, 15
local HAS_DEPENDENCIES, HAS_DEPENDENTS = 16, 17
local CANCELLED = 18 -- only as a job disappears
local HEADERS, TIMEOUT_MS, BACKOFF_MS = 19, 20, 21 -- HEADERS and BACKOFF_MS as JSON
local RETRIES_DEFAULT = 5

-- Payloads up to this size ride with the record; larger ones would be copied at every transition.
local INLINE_BYTES = 512

-- SCORE = seq - priority * SEQ_SPAN: with most jobs, which have no priority, a short number
local SEQ_SPAN = 35184372088832 -- 2 ^ 45

-- STATE
local WAITING, SCHEDULED, BLOCKED, THROTTLED, RUNNING, FAILED, COMPLETED = 1, 2, 3, 4, 5, 6, 7
local STATE_NAMES = { 'waiting', 'scheduled', 'blocked', 'throttled', 'running', 'failed', 'completed' }
-- In no state: forgotten by the call in progress.
local GONE = 0

-- FLAGS: which texts of a job live in keys of their own.
local HAS_DATA, HAS_RESULT, HAS_FAILURE, HAS_HISTORY, PUT_IN_HISTORY, RUN_IN_HISTORY, END_IN_HISTORY = 1, 2, 4, 8, 16, 32, 64

local MAX_ITEMS, MAX_SWEEP, MAX_SLICE, MAX_NAME, MAX_TEXT = 250, 100, 1000, 255, 16384
local ONCE_SECONDS = '600'

local function bind()
  call, concat = redis.call, table.concat
  band, bor = bit.band, bit.bor
  byte, find, format, match, sub = string.byte, string.find, string.format, string.match, string.sub
  ceil, floor, max, min = math.ceil, math.floor, math.max, math.min
  decode_json, encode_json, null = cjson.decode, cjson.encode, cjson.null
  pack, unpack_all, unpack_one = cmsgpack.pack, cmsgpack.unpack, cmsgpack.unpack_one
  from_bytes, to_bytes = struct.unpack, struct.pack
end

local function fail(code, message)
  error(redis.error_reply(code .. ' ' .. message))
end

-- Fails with what a pcall caught, or redis.pcall answered.
local function fail_with(problem)
  error(redis.error_reply(problem.err or problem))
end

-- When the server's log was told of each trouble that may last: one line a second says enough.
local told, told_count = {}, 0

-- Says in the server's log what kept a part of the call from being done; the rest of the call goes on.
local function warn(what, name, problem)
  local line = 'manyhands: ' .. what .. ' ' .. ns .. name .. ': ' .. tostring(problem.err or problem)
  if told[line] and now - told[line] < 1000 then
    return
  elseif told_count == 1000 then
    told, told_count = {}, 0
  end
  told[line], told_count = now, told_count + 1
  redis.log(redis.LOG_WARNING, line)
end

local small_texts = {}

-- Whole numbers as text: `..` and tostring keep 14 digits only.
local function text(number)
  local known = small_texts[number]
  if known then
    return known
  end
  local made = format('%d', number)
  if number >= 0 and number < 1000 and number % 1 == 0 then
    small_texts[number] = made
  end
  return made
end

local low_texts = {}

-- The texts of so many numbers that come one after another, as places in line do: a quarter of the cost.
local function ordinals(first, count)
  local texts, low, high_text = {}, first % 1000, nil
  local high = (first - low) / 1000
  for index = 1, count do
    if low == 1000 then
      low, high, high_text = 0, high + 1, nil
    end
    high_text = high_text or text(high)
    local low_text = low_texts[low]
    if not low_text then
      low_text = format('%03d', low)
      low_texts[low] = low_text
    end
    texts[index], low = high > 0 and high_text .. low_text or text(low), low + 1
  end
  return texts
end

-- Calls a variadic command in slices, so that neither Lua's nor Redis's argument limits are met.
-- `step` keeps pairs together (2 for score and member).
local function call_sliced(command, key, list, step)
  local slice = MAX_SLICE * (step or 1)
  local count = #list
  if count <= slice then
    if count > 0 then
      call(command, key, unpack(list))
    end
    return
  end
  for first = 1, count, slice do
    call(command, key, unpack(list, first, min(first + slice - 1, count)))
  end
end

-- The answers to the items of a call: where all have the same, that text says it for all.
local function answers(list)
  local first = list[1]
  for index = 2, #list do
    if list[index] ~= first then
      return list
    end
  end
  return type(first) == 'string' and first or list
end

local function read_clock()
  if meta.clock then
    now = tonumber(meta.clock)
    now_text, now_us = text(now), '0'
  else
    local time = call('TIME')
    now_us = time[2]
    now_text = time[1] .. sub('00000' .. now_us, -6, -4) -- of the microseconds, the first three of six digits
    now = tonumber(now_text)
  end
end

local function open(keys)
  if not call then
    bind()
  end
  local meta_key = keys[1]
  if #keys ~= 1 or sub(meta_key, -5) ~= ':meta' then
    fail('INVALID_ARGUMENT', 'the only key of a call is {ns}:meta')
  end
  ns = sub(meta_key, 1, -5)
  local fields = call('HMGET', meta_key, 'schema', 'clock', 'queues_version', 'events', 'uses', 'token')
  if fields[1] and fields[1] ~= '1' then
    fail('SCHEMA_MISMATCH', 'namespace ' .. ns .. ' has schema ' .. fields[1] .. ', this engine works on schema 1')
  end
  meta = {
    key = meta_key, schema = fields[1], clock = fields[2], queues_version = fields[3] or '0', events = fields[4],
    uses = fields[5], token = fields[6],
  }
  read_clock()
end

-- After caller and number comes one JSON text, or what a flat operation says of its arguments.
local function refuse_surplus(argv, flat)
  if not flat and #argv > 3 then
    fail('INVALID_ARGUMENT', 'the call has ' .. (#argv - 2) .. ' arguments, at most 1 is allowed')
  end
end

-- Writes a field of meta, which the call in progress has from there too.
local function write_meta(field, value)
  meta[field] = value
  call('HSET', meta.key, field, value)
end

-- The caller of the last call, whose name was found good: what is checked of a text need not be checked of it twice.
local good_caller

-- Once: the same caller and number change nothing the second time and get the same answer.
local function writer(run, replay, flat)
  return function(keys, argv)
    open(keys)
    refuse_surplus(argv, flat)
    local caller, number = argv[1] or '', argv[2] or ''
    if caller ~= good_caller then
      if not match(caller, '^%x+$') or #caller ~= 16 then
        fail('INVALID_ARGUMENT', 'caller must be 16 hex digits')
      end
      good_caller = caller
    end
    if not match(number, '^%d+$') or #number > 15 then
      fail('INVALID_ARGUMENT', 'the call number must be a whole number of at most 15 digits')
    end
    local once_key = ns .. 'call:' .. caller
    local last = call('GET', once_key)
    if last then
      local memo_at, last_number = unpack_one(last)
      if last_number == number then
        local _, memo = unpack_one(last, memo_at)
        return replay and replay(memo) or memo
      end
      -- The digits mostly tell it without a number made of them.
      local later = #last_number == #number and last_number < number
      if not later and tonumber(last_number) > tonumber(number) then
        fail('OUTCOME_UNKNOWN', 'call ' .. number .. ' of ' .. caller .. ' came after call ' .. last_number)
      end
    end
    local reply, memo = run(argv)
    if not meta.schema then
      call('HSET', meta.key, 'schema', '1', 'partitions', '1')
    end
    call('SET', once_key, pack(number, memo == nil and reply or memo), 'EX', ONCE_SECONDS)
    return reply
  end
end

local function reader(run, flat)
  return function(keys, argv)
    open(keys)
    refuse_surplus(argv, flat)
    local reply = run(argv)
    redis.setresp(3) -- so that true and false reach the client as such
    return reply
  end
end

-- Registers mh1_<name>. `kind`: 'read' never writes; 'write' also runs when memory is full, so that
-- work can be finished; 'grow' is refused then. `flat`: it takes many arguments, not one JSON text.
local function operation(name, kind, run, replay, flat)
  local flags = { read = { 'no-writes' }, write = { 'allow-oom' }, grow = {} }
  redis.register_function({
    function_name = 'mh1_' .. name,
    callback = kind == 'read' and reader(run, flat) or writer(run, replay, flat),
    flags = flags[kind],
  })
end
