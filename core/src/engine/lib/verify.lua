-- Whether what stands in Redis agrees with the jobs' records, by bounded steps that can be resumed.
--
-- One walk over all keys of the namespace: a record is compared with the collections it belongs to, a collection with the
-- records of its members, a count with what it counts. The record is the truth, so repairing means to put a job where
-- its record says it is, and to take out what has no record there. What calls in between change is seen as it is then.
local verify = {}

-- The collections of jobs: first word of the key -> whether `key` is where `job` belongs, and with which score.
local function in_place(job, key)
  local expected, score = state.place(job)
  return expected == key and score
end

local function in_standing(job, key)
  local stands = standing.of(job)
  return stands and stands.sets[key]
end

local function in_hand(job, key)
  return job[STATE] == RUNNING and keys.worker_jobs(job[WORKER]) == key and job[LEASE_UNTIL]
end

local COLLECTIONS = {
  waiting = in_place, scheduled = in_place, running = in_place, grace = in_place, blocked = in_place, throttled = in_place,
  failed = in_place, completed = in_place, tag = in_standing, held = in_standing, pending = in_standing, tracked = in_standing,
  ['worker-jobs'] = in_hand,
}

local COUNTED = { failed = keys.failures, tag = keys.tags }

-- The walk in progress.
local violations, repair

local function report(rule, jid, detail, mend)
  if repair and mend then
    mend()
  end
  violations[#violations + 1] = { map = { rule = rule, jid = jid, detail = detail, repaired = (repair and mend) and 1 or 0 } }
end

local function expect_member(jid, key, member, score)
  local stored = call('ZSCORE', key, member)
  if not stored then
    report('missing', jid, 'is not in ' .. key, function()
      call('ZADD', key, text(score), member)
    end)
  elseif tonumber(stored) ~= score then
    report('score', jid, 'has in ' .. key .. ' the score ' .. stored .. ' instead of ' .. text(score), function()
      call('ZADD', key, text(score), member)
    end)
  end
end

local function check_links(job)
  local jid = job[JID]
  local waits = call('ZRANGE', keys.dependencies(jid), '0', '-1')
  if (#waits > 0) ~= (job[STATE] == BLOCKED) then
    report('blocked', jid, 'is ' .. STATE_NAMES[job[STATE]] .. ' and waits for ' .. #waits .. ' jobs')
  end
  for _, other in ipairs(waits) do
    -- A job that is completed frees the rest of its dependents later, from another key.
    local stored = record.load(other)
    if stored and stored[STATE] ~= COMPLETED and not call('ZSCORE', keys.dependents(other), jid) then
      report('dependents', jid, 'waits for ' .. other .. ', which does not know it', function()
        call('ZADD', keys.dependents(other), now_text, jid)
      end)
    end
  end
end

local function check_record(name)
  local jid = sub(name, #keys.job('') + 1)
  local job = record.load(jid)
  if not job then
    return
  end
  if not STATE_NAMES[job[STATE]] then
    report('state', jid, 'is in no state')
    return
  end
  local key, score = state.place(job)
  expect_member(jid, key, state.member_of(job), score)
  for other, other_score in pairs((standing.of(job) or { sets = {} }).sets) do
    expect_member(jid, other, jid, other_score)
  end
  if job[STATE] == RUNNING then
    expect_member(jid, keys.worker_jobs(job[WORKER]), jid, job[LEASE_UNTIL])
  end
  if (job[STATE] == SCHEDULED or job[STATE] == RUNNING) and not call('ZSCORE', keys.due(), job[QUEUE]) then
    report('due', jid, 'will be due in ' .. job[QUEUE] .. ', which {ns}:due does not name', function()
      call('ZADD', keys.due(), text(score), job[QUEUE])
    end)
  end
  check_links(job)
end

local function check_count(word, name, key)
  local counted = COUNTED[word]
  if not counted then
    return
  end
  local count, stored = call('ZCARD', key), tonumber(call('ZSCORE', counted(), name) or '0')
  if count ~= stored then
    report('count', nil, counted() .. ' says ' .. stored .. ' for ' .. name .. ', ' .. key .. ' has ' .. count, function()
      call('ZADD', counted(), text(count), name)
    end)
  end
end

-- A part of a collection: every member must belong there by its record. Where the rest begins, '0' at the end.
local function check_members(key, cursor, count)
  local word = keys.parts(key)
  local answer = call('ZSCAN', key, cursor, 'COUNT', text(count))
  local found = answer[2]
  for index = 1, #found, 2 do
    local member = found[index]
    local jid = word == 'scheduled' and state.scheduled_jids({ member })[1] or member
    local job = record.load(jid)
    if not (job and COLLECTIONS[word](job, key) and (word ~= 'scheduled' or state.member_of(job) == member)) then
      report('stray', jid, 'stands in ' .. key .. ', where its record does not place it', function()
        call('ZREM', key, member)
      end)
    end
  end
  return answer[1], #found / 2
end

local function check_key(walk, name)
  local word, rest = keys.parts(name)
  local kind = call('TYPE', name).ok
  local expected = word == 'job' and 'string' or (COLLECTIONS[word] and 'zset')
  if expected and kind ~= expected then
    report('type', nil, name .. ' is a ' .. kind .. ', not a ' .. expected)
  elseif word == 'job' then
    check_record(name)
  elseif expected then
    check_count(word, rest, name)
    walk.collections[#walk.collections + 1] = name
  end
end

-- At the end: counts of what is not there any more.
local function check_counts(counts, key_of)
  for _, pair in ipairs(page.scored(counts(), 0, MAX_ITEMS)) do
    if call('EXISTS', key_of(pair[1])) == 0 then
      report('count', nil, counts() .. ' says ' .. pair[2] .. ' for ' .. pair[1] .. ', which has none', function()
        call('ZREM', counts(), pair[1])
      end)
    end
  end
end

-- One step of the walk: about `limit` keys or members. Where the next begins, nil at the end; how many were looked at.
local function step(walk, limit)
  if #walk.collections > 0 then
    local key = walk.collections[1]
    local cursor, looked = check_members(key, walk.member, limit)
    walk.member = cursor
    if cursor == '0' then
      table.remove(walk.collections, 1)
    end
    return walk, looked
  end
  if walk.key == 'end' then
    check_counts(keys.failures, keys.failed)
    check_counts(keys.tags, keys.tag)
    return nil, 0
  end
  local answer = call('SCAN', walk.key, 'MATCH', ns .. '*', 'COUNT', text(limit))
  for _, name in ipairs(answer[2]) do
    check_key(walk, name)
  end
  walk.key = answer[1] == '0' and 'end' or answer[1]
  return walk, #answer[2]
end

-- For the operation check.
function verify.step(cursor, limit, mend)
  violations, repair = {}, mend
  local walk = cursor and verify.parse(cursor) or { key = '0', member = '0', collections = {} }
  local rest, looked = step(walk, limit)
  return rest and encode_json({ key = rest.key, member = rest.member, collections = rest.collections }) or '', looked, violations
end

function verify.parse(cursor)
  local ok, walk = pcall(decode_json, cursor)
  if not ok or type(walk) ~= 'table' or type(walk.key) ~= 'string' or type(walk.member) ~= 'string'
    or type(walk.collections) ~= 'table' or not match(walk.member, '^%d+$') or not match(walk.key, '^%w+$') then
    fail('INVALID_ARGUMENT', 'cursor is none that check gave')
  end
  for _, key in ipairs(walk.collections) do
    if type(key) ~= 'string' or sub(key, 1, #ns) ~= ns then
      fail('INVALID_ARGUMENT', 'cursor is none that check gave')
    end
  end
  return walk
end

return verify
