-- Whether what stands in Redis agrees with the jobs' records, by bounded steps that can be resumed.
--
-- One walk over all keys of the namespace: a record is compared with the collections it belongs to (lib/agreement.lua), a
-- collection with the records of its members, a count with what it counts. The record is the truth, so repairing means to put
-- a job where its record says it is, and to take out what has no record there. What calls in between change is seen as it is
-- then.
local verify = {}

-- The type of a key by the first word of its name.
local TYPES = {
  job = 'string', data = 'string', result = 'string', failure = 'string', cancelled = 'string', call = 'string',
  worker = 'string', throttle = 'string', template = 'string', seq = 'string', swept = 'string',
  waiting = 'zset', scheduled = 'zset', running = 'zset', grace = 'zset', blocked = 'zset', throttled = 'zset', failed = 'zset',
  completed = 'zset', tag = 'zset', held = 'zset', pending = 'zset', tracked = 'zset', recurring = 'zset', dependencies = 'zset',
  dependents = 'zset', freed = 'zset', freeing = 'zset', failures = 'zset', tags = 'zset', throttles = 'zset', queues = 'zset',
  due = 'zset', workers = 'zset', kinds = 'zset', orders = 'zset', lease = 'hash', leases = 'zset', leased = 'string',
  meta = 'hash', config = 'hash', patterns = 'hash', stats = 'hash', paused = 'set', history = 'list', wake = 'list', events = 'stream',
  ready = 'set',
}
TYPES['worker-jobs'], TYPES['worker-leases'] = 'zset', 'zset'

-- So much of what is still to be freed is looked through; beyond, a job is taken to be freed soon.
local FREEING_READ = 1000
-- The step in progress. `freed_soon`: jid -> the zsets of its dependents that are freed later, and those zsets' numbers; read
-- when first needed.
local freed_soon, freed_numbers, much_to_free

local report, load, score_of, recount = agreement.report, agreement.load, agreement.score_of, agreement.recount

-- ## What collections say

-- `jid`: of the job; nil for a shared lease.
local function report_stray(key, member, jid)
  local what = jid and 'stands in ' or 'lease ' .. member .. ' stands in '
  report('stray', jid, what .. key .. ', where ' .. (jid and 'its record does' or 'records do') .. ' not place it', function()
    call('ZREM', key, member)
    recount(key)
  end)
end

-- A collection whose members are jobs for which `belongs(job, key)` holds.
local function jobs_that(belongs)
  return function(key, _, member)
    local scheduled = keys.parts(key) == 'scheduled'
    local jid = scheduled and place.jids_of({ member })[1] or member
    local job, broken = load(jid)
    if not broken and not (job and belongs(job, key) and (not scheduled or place.member_of(job) == member)) then
      report_stray(key, member, jid)
    end
  end
end

local in_place = jobs_that(function(job, key)
  return place.of(job) == key
end)

local in_standing = jobs_that(function(job, key)
  local stands = standing.of(job)
  return stands and stands.sets[key]
end)

local held_by_worker = jobs_that(function(job, key)
  return job[STATE] == RUNNING and not job[SHARES] and keys.worker_jobs(job[WORKER]) == key
end)

-- The shared lease of this name is there, which is looked at by itself.
local function in_leases(key, queue, name)
  if call('EXISTS', keys.lease(name)) == 0 or shared.queue_of(name) ~= queue then
    report_stray(key, name)
  end
end

local function in_worker_leases(key, worker, name)
  local ok, job = pcall(shared.one, name)
  if ok and not (job and job[WORKER] == worker) then
    report_stray(key, name)
  end
end

local function in_recurring(key, queue, jid)
  local ok, template = pcall(recurring.load, jid)
  if ok and not (template and template.queue == queue) then
    report_stray(key, jid, jid)
  end
end

local function read_freeing()
  freed_soon, freed_numbers = {}, {}
  local members = call('ZRANGE', keys.freeing(), '0', text(FREEING_READ - 1))
  much_to_free = #members == FREEING_READ
  for _, member in ipairs(members) do
    local number, jid = match(member, '^d:(%d+):(.*)$')
    if number then
      freed_soon[jid] = freed_soon[jid] or {}
      table.insert(freed_soon[jid], keys.freed(number))
      freed_numbers[number] = true
    end
  end
end

-- Whether what is still to be freed will free `jid` of `other`.
local function is_freed_soon(jid, other)
  if not freed_soon then
    read_freeing()
  end
  for _, key in ipairs(freed_soon[other] or {}) do
    if score_of(key, jid) then
      return true
    end
  end
  return much_to_free
end

-- Changes a job by the rules of its states.
local function mend_job(jid, change)
  state.begin()
  local job = state.load(jid)
  if job then
    change(job)
  end
  state.commit()
end

-- `other` is one that `jid` waits for.
local function in_dependencies(_, jid, other)
  local job, broken = load(jid)
  if broken then
    return
  elseif not job or job[STATE] ~= BLOCKED then
    report('blocked', jid, 'is ' .. (job and STATE_NAMES[job[STATE]] or 'unknown') .. ' and waits for ' .. other, function()
      dependency.unlink(jid, { other })
    end)
    return
  elseif not record.rare(job, HAS_DEPENDENCIES) then
    report('blocked', jid, 'does not know that it waits for others', function()
      mend_job(jid, function(blocked)
        state.set_rare(blocked, HAS_DEPENDENCIES, true)
      end)
    end)
  end
  local waited_for, unreadable = load(other)
  if unreadable or score_of(keys.dependents(other), jid) or is_freed_soon(jid, other) then
    return
  elseif not waited_for or waited_for[STATE] == COMPLETED then
    report('dependents', jid, 'waits for ' .. other .. ', which is ' .. (waited_for and 'completed' or 'unknown'), function()
      mend_job(jid, function()
        dependency.satisfy(jid, other)
      end)
    end)
  else
    report('dependents', jid, 'waits for ' .. other .. ', which does not know it', function()
      call('ZADD', keys.dependents(other), now_text, jid)
      mend_job(other, function(one)
        state.set_rare(one, HAS_DEPENDENTS, true)
      end)
    end)
  end
end

-- `waiting` is one that waits for `jid`.
local function in_dependents(key, jid, waiting)
  local job, broken = load(jid)
  if not score_of(keys.dependencies(waiting), jid) then
    report_stray(key, waiting, waiting)
  elseif not broken and (not job or job[STATE] == COMPLETED) then
    report('dependents', waiting, 'waits for ' .. jid .. ', which is ' .. (job and 'completed' or 'unknown'), function()
      call('ZREM', key, waiting)
      mend_job(waiting, function()
        dependency.satisfy(waiting, jid)
      end)
    end)
  elseif job and not record.rare(job, HAS_DEPENDENTS) then
    report('dependents', jid, 'does not know that others wait for it', function()
      mend_job(jid, function(one)
        state.set_rare(one, HAS_DEPENDENTS, true)
      end)
    end)
  end
end

-- A zset that counts, or lists, what there are keys for.
local function keys_of(key_of, rule)
  return function(key, _, member)
    if call('EXISTS', key_of(member)) == 0 then
      report(rule, nil, key .. ' names ' .. member .. ', which has none', function()
        call('ZREM', key, member)
      end)
    end
  end
end

local MEMBERS = {
  waiting = in_place, scheduled = in_place, running = in_place, grace = in_place, blocked = in_place, throttled = in_place,
  failed = in_place, completed = in_place, tag = in_standing, held = in_standing, pending = in_standing, tracked = in_standing,
  recurring = in_recurring, dependencies = in_dependencies, dependents = in_dependents,
  failures = keys_of(keys.failed, 'count'), tags = keys_of(keys.tag, 'count'), throttles = keys_of(keys.throttle, 'throttle'),
}
MEMBERS['worker-jobs'], MEMBERS['worker-leases'], MEMBERS.leases = held_by_worker, in_worker_leases, in_leases

local function check_count(counts, name, key)
  local count, stored = call('ZCARD', key), score_of(counts, name) or 0
  if count ~= stored then
    report('count', nil, counts .. ' says ' .. stored .. ' for ' .. name .. ', ' .. key .. ' has ' .. count, function()
      call('ZADD', counts, text(count), name)
    end)
  end
end

local function check_pending(id)
  local room = throttle.room(id)
  if (not room or room > 0) and not freeing.noted(id) then
    report('throttle', nil, 'throttle ' .. id .. ' has room, and nothing calls its jobs forward', function()
      freeing.note_throttle(id, now)
    end)
  end
end

-- ## What belongs to others

local function report_orphan(key, jid, owner)
  report('orphan', jid, key .. ' belongs to no ' .. owner, function()
    call('DEL', key)
  end)
end

-- A text in a key of its own, of which the job's record must know by `flag`.
local function text_of(flag, key_of)
  return function(jid)
    local job, broken = load(jid)
    if not broken and not (job and record.has(job, flag)) then
      report_orphan(key_of(jid), jid, 'job')
    end
  end
end

-- Dependents that are freed later. Those of an orphan are found waiting for what is completed.
local function check_freed(number)
  if not freed_soon then
    read_freeing()
  end
  if not freed_numbers[number] and not much_to_free then
    report_orphan(keys.freed(number), nil, 'completed job')
  end
end

-- How many jobs of a queue share leases, as is said there. Beyond so many leases they are not counted in one step.
local function check_leased(queue)
  local answer = redis.pcall('ZCARD', keys.leases(queue))
  if type(answer) ~= 'number' or answer > MAX_SLICE then
    return
  end
  local ok, count = pcall(shared.count_until, keys.leases(queue), '+inf')
  local said = redis.pcall('GET', keys.leased(queue))
  if ok and type(said) ~= 'table' and tonumber(said or '0') ~= count then
    report('count', nil, keys.leased(queue) .. ' says ' .. (said or '0') .. ', its leases ' .. count, function()
      call('SET', keys.leased(queue), text(count))
    end)
  end
end

-- How many jobs share a lease; where it stands, they say themselves. How many jids were read.
local function check_lease(name)
  local left, jobs, read = call('HGET', keys.lease(name), 'left'), shared.jobs(name)
  local function mend()
    shared.recount(name)
  end
  if #jobs == 0 then
    report('orphan', nil, keys.lease(name) .. ' is shared by no job', mend)
  elseif tonumber(left) ~= #jobs then
    report('count', nil, keys.lease(name) .. ' says ' .. (left or '0') .. ', ' .. #jobs .. ' share it', mend)
  end
  return read
end

local RECORDS = {
  leased = check_leased,
  job = agreement.job, template = agreement.template, throttle = agreement.throttle, wake = agreement.wake, freed = check_freed,
  data = text_of(HAS_DATA, keys.data), result = text_of(HAS_RESULT, keys.result), failure = text_of(HAS_FAILURE, keys.failure),
  history = text_of(HAS_HISTORY, keys.history),
}

-- Keys that calls look for only where {ns}:meta says that there are such.
local USED = {
  config = 'settings', paused = 'pauses', throttle = 'throttles', pending = 'throttles', freeing = 'freeing', workers = 'losses',
}

local function check_use(name, word)
  local use = USED[word]
  if not use or uses.has(use) or (word == 'workers' and call('ZCOUNT', name, '-inf', '(0') == 0) then
    return
  end
  report('use', nil, '{ns}:meta does not say that there is ' .. name, function()
    uses.begin(use)
  end)
end
-- ## The walk

-- What it cost beyond itself.
local function check_key(walk, name)
  local word, rest = keys.parts(name)
  local kind, expected = call('TYPE', name).ok, name == keys.queues_wake() and 'list' or TYPES[word]
  if expected and kind ~= expected and kind ~= 'none' then
    report('type', nil, name .. ' is a ' .. kind .. ', not a ' .. expected)
    return 0
  end
  check_use(name, word)
  if word == 'lease' then
    return kind == 'none' and 0 or check_lease(rest)
  elseif RECORDS[word] then
    RECORDS[word](rest)
  elseif MEMBERS[word] and expected == 'zset' then
    local counts = agreement.counts_of(word)
    if counts then
      check_count(counts, rest, name)
    elseif word == 'pending' then
      check_pending(rest)
    elseif word == 'leases' and call('EXISTS', keys.leased(rest)) == 0 then
      check_leased(rest)
    end
    walk.collections[#walk.collections + 1] = name
  end
  return 0
end

-- A part of a collection. Where the rest begins, '0' at the end; how many were looked at.
local function check_members(key, cursor, count)
  local answer = redis.pcall('ZSCAN', key, cursor, 'COUNT', text(count))
  if answer.err then -- it was deleted and made anew as something else
    return '0', 0
  end
  local word, rest = keys.parts(key)
  local found = answer[2]
  for index = 1, #found, 2 do
    MEMBERS[word](key, rest, found[index])
  end
  return answer[1], #found / 2
end

-- A part of the walk: about `limit` keys or members; how many they were, and what it cost.
local function walk_on(walk, limit)
  if #walk.collections > 0 then
    local cursor, looked = check_members(walk.collections[1], walk.member, limit)
    walk.member = cursor
    if cursor == '0' then
      table.remove(walk.collections, 1)
    end
    return looked, looked + 1
  end
  local answer = redis.pcall('SCAN', walk.key, 'MATCH', ns .. '*', 'COUNT', text(limit))
  if answer.err then
    fail('INVALID_ARGUMENT', 'cursor is none that check gave')
  end
  local read = 0
  for _, name in ipairs(answer[2]) do
    read = read + check_key(walk, name)
  end
  walk.key = answer[1] == '0' and 'end' or answer[1]
  return #answer[2], read + max(#answer[2], ceil(limit / 8)) -- passing by the keys of other namespaces costs something too
end

-- For the operation check.
function verify.step(cursor, limit, mend)
  local violations = agreement.begin(mend)
  freed_soon = nil
  local walk = cursor and verify.parse(cursor) or { key = '0', member = '0', collections = {} }
  local looked, budget, over = 0, limit, false
  while budget > 0 and not over do
    local found, cost = walk_on(walk, budget)
    looked, budget = looked + found, budget - cost
    over = #walk.collections == 0 and walk.key == 'end'
  end
  agreement.finish()
  return over and '' or encode_json({ key = walk.key, member = walk.member, collections = walk.collections }), looked, violations
end

function verify.parse(cursor)
  local ok, walk = pcall(decode_json, cursor)
  local good = ok and type(walk) == 'table' and type(walk.key) == 'string' and type(walk.member) == 'string'
    and type(walk.collections) == 'table' and match(walk.member, '^%d+$') and #walk.member <= 20
    and (walk.key == 'end' and #walk.collections > 0 or match(walk.key, '^%d+$') and #walk.key <= 20)
  for _, key in ipairs(good and walk.collections or {}) do
    good = good and type(key) == 'string' and sub(key, 1, #ns) == ns and MEMBERS[keys.parts(key) or '']
  end
  if not good then
    fail('INVALID_ARGUMENT', 'cursor is none that check gave')
  end
  return walk
end

return verify
