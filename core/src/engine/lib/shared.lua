-- What jobs share. Jobs of one queue that one call reserved have their token, worker and the end of their lease in common, and those
-- of them that one call completed their end too: while nothing else happens to them they are one entry of what the queue and the
-- worker have in hand, then of what is completed, not one each, so that what a batch costs there does not grow with it. Their records
-- say that they share it. A job that is changed or goes leaves it, and stands by itself if it is still there. The list of jids stays as
-- it was; the records tell which are still of it, `left` how many.
--
-- A lease is called by its token and queue, an end by its instant and its lease.
local shared = {}

-- Fewer than so many cost less by themselves.
shared.FEW = 3

-- In the place of flags that differ.
local MIXED = 256

function shared.lease(token, queue)
  return keys.lease(text(token) .. ':' .. queue)
end

function shared.ending(ended_at, token, queue)
  return keys.ending(text(ended_at) .. ':' .. text(token) .. ':' .. queue)
end

-- Whether `key` is of one of them.
function shared.is(key)
  local word = keys.parts(key)
  return word == 'lease' or word == 'end'
end

-- Which state has such jobs, and the queue.
function shared.place(key)
  local word, name = keys.parts(key)
  if word == 'end' then
    return 'completed', match(name, ':.-:(.*)$')
  end
  return 'running', match(name, ':(.*)$')
end

-- The zset in which it is, and what it is called there.
local function index_of(key)
  local word, name = keys.parts(key)
  return word == 'end' and keys.endings() or keys.leases(match(name, ':(.*)$')), name
end
shared.index_of = index_of

-- ## Changes, for lib/commit.lua

-- So many jobs more, or fewer where the number is negative, share a lease of the queue, or an end.
local function count_more(key, count)
  local word, name = keys.parts(key)
  if word == 'lease' then
    call('HINCRBY', keys.leased(), match(name, ':(.*)$'), text(count))
  else
    add_to_meta('ended', count)
  end
end

local function write_begin(key, worker, score, count)
  local index, name = index_of(key)
  call('ZADD', index, score, name)
  if worker then
    call('ZADD', keys.worker_leases(worker), score, name)
  end
  count_more(key, count)
end

-- An end that other jobs of the lease had in the same instant is these jobs' too.
local function write_end(key, jids, flags)
  local list, known = jids, call('HMGET', key, 'jids', 'flags')
  if known[1] then
    list = unpack_all(known[1])
    for index = 1, #jids do
      list[#list + 1] = jids[index]
    end
    flags = known[2] == text(flags) and flags or MIXED
  end
  call('HSET', key, 'jids', pack(list), 'flags', text(flags))
end

-- These jobs share it from now on; a lease is of a `worker`. `flags`: of the records of completed ones, nil where they differ. All or
-- nothing.
function shared.begin(key, worker, score, jids, flags)
  if worker then
    call('HSET', key, 'jids', pack(jids))
  else
    write_end(key, jids, flags or MIXED)
  end
  call('HINCRBY', key, 'left', text(#jids))
  local ok, problem = pcall(write_begin, key, worker, score, #jids)
  if not ok then
    if call('HINCRBY', key, 'left', text(-#jids)) <= 0 then
      shared.close(key, worker)
    end
    error(problem)
  end
end

-- So many leave it, or, where the number is negative, are back; how many are left. All or nothing.
function shared.leave(key, count)
  local left = call('HINCRBY', key, 'left', text(-count))
  local ok, problem = pcall(count_more, key, -count)
  if not ok then
    call('HINCRBY', key, 'left', text(count))
    error(problem)
  end
  return left
end

-- Nobody shares it any more. A key of another type has nothing to be taken out.
function shared.close(key, worker)
  local index, name = index_of(key)
  redis.pcall('ZREM', index, name)
  if worker then
    redis.pcall('ZREM', keys.worker_leases(worker), name)
  end
  call('UNLINK', key)
end

-- ## What is said of them

-- How many share it.
function shared.left(key)
  return max(0, tonumber(call('HGET', key, 'left') or '0'))
end

-- How many jobs of a queue are in hand, but for those in grace.
function shared.in_hand(queue)
  return call('ZCARD', keys.running(queue)) + max(0, tonumber(call('HGET', keys.leased(), queue) or '0'))
end

-- How many jobs are completed.
function shared.completed()
  return call('ZCARD', keys.completed()) + max(0, tonumber(meta.ended or '0'))
end

-- How many jobs share those in a zset, whose keys key_of(name) tells, with a score up to `most`.
function shared.count_in(index, key_of, most)
  local count = 0
  for _, name in ipairs(call('ZRANGE', index, '-inf', most, 'BYSCORE')) do
    count = count + shared.left(key_of(name))
  end
  return count
end

-- How many jobs share the leases of a zset that end by `time`.
function shared.ended(leases, time)
  return shared.count_in(leases, keys.lease, time)
end

-- How many jobs of a worker have a lease that ends by `time`.
function shared.held_by(worker, time)
  return call('ZCOUNT', keys.worker_jobs(worker), '-inf', time) + shared.ended(keys.worker_leases(worker), time)
end

-- The jids of all that ever shared it, which are a few hundred at most.
function shared.listed(key)
  local jids = call('HGET', key, 'jids')
  return jids and unpack_all(jids) or {}
end

-- The jids of all that share it, nil where some have left it, or flags differ; how many share it; the flags of their records.
function shared.whole(key)
  local known = call('HMGET', key, 'jids', 'left', 'flags')
  local jids, left, flags = known[1] and unpack_all(known[1]) or {}, tonumber(known[2] or '0'), tonumber(known[3] or MIXED)
  return #jids == left and flags ~= MIXED and jids or nil, left, flags
end

-- The key of what a job shares, by its record; nil for one that stands by itself.
function shared.key_of(job)
  if not job[SHARES] then
    return nil
  elseif job[STATE] == COMPLETED then
    return shared.ending(job[ENDED_AT], job[TOKEN], job[QUEUE])
  end
  return shared.lease(job[TOKEN], job[QUEUE])
end

-- The jobs that still share it, for readers.
function shared.jobs(key)
  local jobs = {}
  for _, job in ipairs(record.load_many(shared.listed(key))) do
    if job and shared.key_of(job) == key then
      jobs[#jobs + 1] = job
    end
  end
  return jobs
end

-- A page of what stands in the zset `alone` by itself and of what shares the ones in the zset `index`, whose keys key_of(name) tells:
-- lowest score first, or highest with `reverse`.
function shared.page(alone, index, key_of, offset, limit, reverse)
  local found, passed, used = {}, 0, 0
  local function add(count, read)
    local skipped = max(0, offset - passed)
    local most = min(limit - #found, count - skipped)
    for _, jid in ipairs(most > 0 and read(skipped, most) or {}) do
      found[#found + 1] = jid
    end
    passed = passed + count
  end
  local function add_alone(rank)
    add(rank - used, function(skipped, most)
      return page.members(alone, used + skipped, most, reverse)
    end)
    used = rank
  end
  for _, pair in ipairs(page.scored(index, 0, call('ZCARD', index), reverse)) do
    if #found == limit then
      return found
    end
    local key, past = key_of(pair[1]), '(' .. text(pair[2])
    add_alone(reverse and call('ZCOUNT', alone, past, '+inf') or call('ZCOUNT', alone, '-inf', past))
    add(shared.left(key), function(skipped, most)
      local jids, jobs = {}, shared.jobs(key)
      for at = skipped + 1, min(skipped + most, #jobs) do
        jids[#jids + 1] = jobs[at][JID]
      end
      return jids
    end)
  end
  add_alone(call('ZCARD', alone))
  return found
end

-- ## Repairs

-- What is said of how many jobs of a queue share leases, and how many do.
function shared.leased(queue)
  return tonumber(call('HGET', keys.leased(), queue) or '0'), shared.ended(keys.leases(queue), '+inf')
end

-- The same of completed jobs and ends.
function shared.ends()
  return tonumber(meta.ended or '0'), shared.count_in(keys.endings(), keys.ending, '+inf')
end

-- Counts the jobs anew that share such leases, or ends.
function shared.recount(key)
  local word, name = keys.parts(key)
  if word == 'lease' then
    local queue = match(name, ':(.*)$')
    call('HSET', keys.leased(), queue, text(select(2, shared.leased(queue))))
  else
    write_meta('ended', text(select(2, shared.ends())))
  end
end

return shared
