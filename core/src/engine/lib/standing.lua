-- Where a job that is not plain stands besides its place: tags, throttles, tracking; and where it is counted.
-- Derived from the record like its place, and compared before and after by the same commit.
local standing = {}

local NOTHING = { sets = {}, counts = {} }

local function counted(counts, key, member)
  counts[#counts + 1] = { key, member }
end

-- sets: zset -> score; counts: pairs of key and member; claims: the throttles it holds, or may take next. nil for none of it.
function standing.of(job)
  local rare, at = job[RARE], job[STATE]
  if not rare or at == GONE then
    return nil
  end
  local sets, counts = {}, {}
  for _, tag in ipairs(rare[TAGS] or {}) do
    sets[keys.tag(tag)] = job[PUT_AT]
    counted(counts, keys.tags(), tag)
  end
  if rare[TRACKED] then
    sets[keys.tracked()] = job[PUT_AT]
  end
  if at == RUNNING then
    for _, id in ipairs(rare[THROTTLES] or {}) do
      sets[keys.held(id)] = job[RESERVED_AT]
    end
  elseif at == THROTTLED then
    sets[keys.pending(rare[PENDING])] = job[SCORE]
  elseif at == FAILED then
    counted(counts, keys.failures(), rare[GROUP])
    counted(counts, stats.key_at(job[ENDED_AT], job[QUEUE]), 'failed')
  end
  local claims = (at == WAITING or at == RUNNING) and rare[THROTTLES] or nil
  return { at = at, sets = sets, counts = counts, claims = claims }
end

local NONE = {}

-- How many ties a job has: tags, throttles, jobs it waits for. To undo one costs about as much as a job.
function standing.ties(job)
  local rare = job[RARE] or NONE
  local links = rare[HAS_DEPENDENCIES] and call('ZCARD', keys.dependencies(job[JID])) or 0
  return #(rare[TAGS] or NONE) + #(rare[THROTTLES] or NONE) + links
end

-- A throttle is let go of when its holder stops, and when one that was called forward turns elsewhere: others may go.
local function note_freed(freed, old, new)
  if old.claims and (old.claims ~= new.claims or (old.at == RUNNING and new.at ~= RUNNING)) then
    for _, id in ipairs(old.claims) do
      freed[id] = true
    end
  end
end

local function push(lists, key, value, second)
  local list = lists[key] or {}
  lists[key] = list
  list[#list + 1] = value
  list[#list + 1] = second
end

local function shift(counts, list, difference)
  for _, pair in ipairs(list) do
    local members = counts[pair[1]] or {}
    counts[pair[1]] = members
    members[pair[2]] = (members[pair[2]] or 0) + difference
  end
end

-- The figures of a day are counts of a hash; the others are scores.
local function is_of_a_day(key)
  return keys.parts(key) == 'stats'
end

local function write_count(key, member, difference)
  if is_of_a_day(key) then
    stats.shift_failed(key, difference)
  elseif tonumber(call('ZINCRBY', key, text(difference), member)) <= 0 then
    call('ZREM', key, member)
  end
end

-- Refuses a key of another type while nothing is written.
local function expect(kind, key)
  local found = call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then
    fail('WRONGTYPE', 'key ' .. key .. ' is a ' .. found .. ', not a ' .. kind)
  end
end

local function note_sets(removed, added, job, old, new)
  for key in pairs(old) do
    if not new[key] then
      push(removed, key, job[JID])
    end
  end
  for key, score in pairs(new) do
    if old[key] ~= score then
      push(added, key, text(score), job[JID])
    end
  end
end

-- What differs, by key, to be written; adds to `freed` the throttles let go of. nil for plain jobs only.
function standing.plan(changed, freed)
  local removed, added, counts, differs = {}, {}, {}, false
  for index = 1, #changed do
    local job = changed[index]
    if job[RARE] or job[FROM_STANDS] then
      local old, new = job[FROM_STANDS] or NOTHING, standing.of(job) or NOTHING
      differs = true
      note_sets(removed, added, job, old.sets, new.sets)
      shift(counts, old.counts, -1)
      shift(counts, new.counts, 1)
      note_freed(freed, old, new)
    end
  end
  if not differs then
    return nil
  end
  for key in pairs(removed) do
    expect('zset', key)
  end
  for key in pairs(added) do
    expect('zset', key)
  end
  for key in pairs(counts) do
    expect(is_of_a_day(key) and 'hash' or 'zset', key)
  end
  return { removed = removed, added = added, counts = counts }
end

-- Writes what was planned.
function standing.write(plan)
  for key, list in pairs(plan.removed) do
    call_sliced('ZREM', key, list)
  end
  for key, list in pairs(plan.added) do
    call_sliced('ZADD', key, list, 2)
  end
  for key, members in pairs(plan.counts) do
    for member, difference in pairs(members) do
      if difference ~= 0 then
        write_count(key, member, difference)
      end
    end
  end
end

return standing
