-- What happened to a job. The stage in progress is told by the record itself; only what the record
-- is about to forget is appended to the history key, so a job that runs once has no such key.
local history = {}

local CAP = 100

-- What an entry is in a reply, besides its texts.
local ENTRY_BYTES = 150

local function entry(code, at, detail)
  return { code, at, detail or '' }
end

-- The entries that the record still tells: put and reserved of the run in progress.
local function of_record(job)
  local entries = {}
  if not record.has(job, PUT_IN_HISTORY) then
    entries[1] = entry('p', job[PUT_AT], job[QUEUE])
  end
  if (job[RESERVED_AT] or 0) > 0 and not record.has(job, RUN_IN_HISTORY) then
    entries[#entries + 1] = entry('r', job[RESERVED_AT], job[WORKER])
  end
  return entries
end

-- What the unit in progress has to append: of each job its key and the entries.
local pending = {}

function history.begin()
  if #pending > 0 then
    pending = {}
  end
end

-- Costs the same however long the history is: what is over comes off behind the first entry.
local function write(key, entries)
  local packed = {}
  for index, item in ipairs(entries) do
    packed[index] = pack(item)
  end
  local count = call('RPUSH', key, unpack(packed))
  if count > CAP then
    local cut = call('LPOP', key, text(count - CAP + 1))
    call('LPUSH', key, cut[1])
  end
end

-- Writes what was appended, after the records; a key of another type keeps no job.
function history.flush()
  for _, one in ipairs(pending) do
    local ok, problem = pcall(write, one[1], one[2])
    if not ok then
      warn('key', sub(one[1], #ns + 1), problem)
    end
  end
end

local function append(job, entries)
  if #entries == 0 then
    return
  end
  pending[#pending + 1] = { keys.history(job[JID]), entries }
  record.set_rare(job, HISTORY_COUNT, min((record.rare(job, HISTORY_COUNT) or 0) + #entries, CAP))
  record.mark(job, HAS_HISTORY)
end

local function forget_run(job)
  record.unmark(job, RUN_IN_HISTORY)
  if job[RESERVED_AT] then
    job[RESERVED_AT] = 0
  end
end

-- Ends the run told by the record with `code`; the job stays in this stage.
function history.close_run(job, code, detail)
  local entries = of_record(job)
  entries[#entries + 1] = entry(code, now, detail)
  append(job, entries)
  record.mark(job, PUT_IN_HISTORY)
  forget_run(job)
end

-- The same, and the job leaves this stage: the next put is told by the record again.
function history.close_stage(job, code, detail)
  history.close_run(job, code, detail)
  record.unmark(job, PUT_IN_HISTORY)
end

-- How a job ended, while its record alone tells it; nil when it has not.
local function ending(job)
  if record.has(job, END_IN_HISTORY) then
    return nil
  elseif job[STATE] == COMPLETED then
    return entry('c', job[ENDED_AT], job[RUN_MS])
  elseif job[STATE] == FAILED then
    return entry('f', job[ENDED_AT], job[RARE][GROUP])
  end
end

-- Adds an entry after all there is, in a run, in none, or after the end: a text of the user's and JSON with it, or ''.
function history.log(job, message, data)
  local entries = of_record(job)
  entries[#entries + 1] = ending(job)
  entries[#entries + 1] = entry('m', now, { message, data })
  append(job, entries)
  record.mark(job, PUT_IN_HISTORY)
  if job[STATE] == RUNNING then
    record.mark(job, RUN_IN_HISTORY)
  elseif job[STATE] > RUNNING then
    record.mark(job, RUN_IN_HISTORY)
    record.mark(job, END_IN_HISTORY)
  end
end

-- A job that is placed anew leaves the state it is in, ended or not.
function history.leave(job)
  local entries = of_record(job)
  if job[STATE] > RUNNING then
    entries[#entries + 1] = ending(job)
  else
    entries[#entries + 1] = entry('q', now)
  end
  append(job, entries)
  forget_run(job)
  record.unmark(job, PUT_IN_HISTORY)
  record.unmark(job, END_IN_HISTORY)
end

local views = {
  p = { 'put', 'queue' },
  r = { 'reserved', 'worker' },
  c = { 'completed', 'run_ms' },
  t = { 'retried', 'group' },
  s = { 'snoozed' },
  l = { 'lost' },
  f = { 'failed', 'group' },
  o = { 'timed_out' },
  q = { 'requeued' },
}

local function view(item)
  if item[1] == 'm' then
    local detail = item[3]
    local data = detail[2] ~= '' and { verbatim_string = { format = 'jsn', string = detail[2] } } or null
    return { map = { what = 'log', at_ms = item[2], message = detail[1], data = data } }
  end
  local shape = views[item[1]]
  local map = { what = shape[1], at_ms = item[2] }
  if shape[2] and item[3] ~= '' then
    map[shape[2]] = item[3]
  end
  return { map = map }
end

-- All entries, oldest first, for readers; and how much of a reply they are.
function history.read(job)
  local entries, bytes = {}, 0
  for index, stored in ipairs(record.has(job, HAS_HISTORY) and call('LRANGE', keys.history(job[JID]), '0', '-1') or {}) do
    entries[index] = unpack_all(stored)
    bytes = bytes + #stored
  end
  for _, item in ipairs(of_record(job)) do
    entries[#entries + 1] = item
  end
  entries[#entries + 1] = ending(job)
  -- What the record tells comes on top of a full history key; of a key that was lost nothing is left.
  local list = { entries[1] and view(entries[1]) }
  for index = max(2, #entries - CAP + 2), #entries do
    list[#list + 1] = view(entries[index])
  end
  return list, bytes + #list * ENTRY_BYTES
end

return history
