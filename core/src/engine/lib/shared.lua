-- Shared leases. Jobs of one queue that one call reserved have their token, worker and the end of their lease in common: while
-- nothing else happens to them they are one entry of what the queue and the worker have in hand, not one each, so that what a
-- batch costs there does not grow with it. Their records say that they share it. A job that is completed or changed leaves it, and
-- stands by itself if it still runs. The list of jids keeps it for a while; the records tell which are still of it, `left` how many.
--
-- A lease is called by its token and queue.
local shared = {}

-- Fewer than so many cost less by themselves.
shared.FEW = 3

function shared.name(token, queue)
  return text(token) .. ':' .. queue
end

function shared.queue_of(name)
  return match(name, ':(.*)$')
end

-- Its name, when `key` is the one of a lease.
function shared.named_by(key)
  local word, name = keys.parts(key)
  return word == 'lease' and name or nil
end

-- ## Changes, for lib/commit.lua

local function write_begin(name, worker, ends_at, count)
  local queue = shared.queue_of(name)
  call('ZADD', keys.leases(queue), ends_at, name)
  call('ZADD', keys.worker_leases(worker), ends_at, name)
  call('INCRBY', keys.leased(queue), text(count))
end

-- These jobs share it from now on. All or nothing.
function shared.begin(name, worker, ends_at, jids)
  call('HSET', keys.lease(name), 'jids', concat(jids, '\n'), 'left', text(#jids))
  local ok, problem = pcall(write_begin, name, worker, ends_at, #jids)
  if not ok then
    shared.close(name, worker)
    fail_with(problem)
  end
end

-- So many leave it, or, where the number is negative, are back; how many are left. All or nothing.
function shared.leave(name, count)
  local key = keys.lease(name)
  local left = call('HINCRBY', key, 'left', text(-count))
  local answer = redis.pcall('INCRBY', keys.leased(shared.queue_of(name)), text(-count))
  if type(answer) == 'table' then
    call('HINCRBY', key, 'left', text(count))
    fail_with(answer)
  end
  return left
end

local function left_of(name)
  return max(0, tonumber(call('HGET', keys.lease(name), 'left')) or 0)
end

-- Nobody shares it any more. A key of another type has nothing to be taken out.
function shared.close(name, worker)
  redis.pcall('ZREM', keys.leases(shared.queue_of(name)), name)
  if worker then
    redis.pcall('ZREM', keys.worker_leases(worker), name)
  end
  call('UNLINK', keys.lease(name))
end

-- The same of one that counts jobs which do not share it.
function shared.drop(name, worker)
  shared.leave(name, left_of(name))
  shared.close(name, worker)
end

-- When so many are left for the first time, the list is written without those that have left, so that it is never read for far
-- fewer jobs than it names.
local DWINDLED = { 64, 16, 4 }

local function shorten(name)
  local jids = {}
  for index, job in ipairs(shared.jobs(name)) do
    jids[index] = job[JID]
  end
  call('HSET', keys.lease(name), 'jids', concat(jids, '\n'))
end

-- `left` jobs are left of it, after `count` have left it and their records say so.
function shared.settle(name, left, count, worker)
  if left <= 0 then
    return shared.close(name, worker)
  end
  for _, some in ipairs(DWINDLED) do
    if left <= some and left + count > some then
      return shorten(name)
    end
  end
end

-- ## What is said of them

-- How many jobs of a queue share leases.
function shared.count(queue)
  return max(0, tonumber(call('GET', keys.leased(queue)) or '0'))
end

-- How many jobs of a queue run, those in grace not among them.
function shared.running(queue)
  return call('ZCARD', keys.running(queue)) + shared.count(queue)
end

-- How many jobs have the leases of a zset that end by `time`.
function shared.count_until(leases, time)
  local count = 0
  for _, name in ipairs(call('ZRANGE', leases, '-inf', time, 'BYSCORE')) do
    count = count + left_of(name)
  end
  return count
end

-- How many jobs of a queue share leases that ended: those are counted, or the others, whichever are fewer.
function shared.expired(queue)
  local leases = keys.leases(queue)
  local all, ended = call('ZCARD', leases), call('ZCOUNT', leases, '-inf', now_text)
  if 2 * ended <= all then
    return shared.count_until(leases, now_text)
  end
  local count = shared.count(queue)
  for _, name in ipairs(call('ZRANGE', leases, '(' .. now_text, '+inf', 'BYSCORE')) do
    count = count - left_of(name)
  end
  return max(0, count)
end

-- How many jobs of a worker have a lease that ends by `time`.
function shared.held_by(worker, time)
  return call('ZCOUNT', keys.worker_jobs(worker), '-inf', time) + shared.count_until(keys.worker_leases(worker), time)
end

-- The jids that its list names, a few hundred at most.
function shared.listed(name)
  local jids = {}
  for jid in (call('HGET', keys.lease(name), 'jids') or ''):gmatch('[^\n]+') do
    jids[#jids + 1] = jid
  end
  return jids
end

-- The job of a record if it shares the lease of this name; nil when it does not, or cannot be read.
local function sharing(name, stored, jid, key)
  local ok, job = pcall(record.decode, stored, jid, key)
  return ok and job[SHARES] and shared.name(job[TOKEN], job[QUEUE]) == name and job or nil
end

-- The jobs that share it, for readers; how many jids were read.
function shared.jobs(name)
  local jids, names, jobs = shared.listed(name), {}, {}
  for index = 1, #jids do
    names[index] = keys.job(jids[index])
  end
  local stored = #names > 0 and call('MGET', unpack(names)) or {}
  for index = 1, #names do
    jobs[#jobs + 1] = sharing(name, stored[index], jids[index], names[index])
  end
  return jobs, #jids
end

-- One of them; nil when there is none.
function shared.one(name)
  for _, jid in ipairs(shared.listed(name)) do
    local key = keys.job(jid)
    local job = sharing(name, call('MGET', key)[1], jid, key)
    if job then
      return job
    end
  end
end

-- So many leases are looked at, at a time.
local SOME = 50

-- A page of what is in hand, whose lease ends first before others: of the zset `alone` of jids and the zset `leases`.
function shared.page(alone, leases, offset, limit)
  local found, passed, used, singles = {}, 0, 0, call('ZCARD', alone)
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
      return page.members(alone, used + skipped, most)
    end)
    used = rank
  end
  local function add_sharing(name)
    add(left_of(name), function(skipped, most)
      local jids, jobs = {}, shared.jobs(name)
      for at = skipped + 1, min(skipped + most, #jobs) do
        jids[#jids + 1] = jobs[at][JID]
      end
      return jids
    end)
  end
  local seen = 0
  repeat
    local some = page.scored(leases, seen, SOME)
    for at = 1, #some do
      if #found == limit then
        return found
      end
      if used < singles then
        add_alone(call('ZCOUNT', alone, '-inf', '(' .. text(some[at][2])))
      end
      add_sharing(some[at][1])
    end
    seen = seen + #some
  until #some < SOME
  add_alone(singles)
  return found
end

-- ## Repairs, where the keys are of the right types

-- As many are left as share it by their records; where a queue has no more than MAX_SLICE leases, its count is made anew.
function shared.recount(name, worker)
  local count, left, queue = #shared.jobs(name), left_of(name), shared.queue_of(name)
  if count == 0 then
    shared.close(name, worker)
  else
    call('HSET', keys.lease(name), 'left', text(count))
  end
  local leases = redis.pcall('ZCARD', keys.leases(queue))
  if type(leases) == 'number' and leases <= MAX_SLICE then
    call('SET', keys.leased(queue), text(shared.count_until(keys.leases(queue), '+inf')))
  else
    redis.pcall('INCRBY', keys.leased(queue), text(count - left))
  end
end

-- The job is where its record says, among those that share its lease; to be counted.
function shared.join(job, name)
  local ends_at = text(job[LEASE_UNTIL])
  call('HSET', keys.lease(name), 'jids', concat(texts.union(shared.listed(name), { job[JID] }), '\n'))
  call('ZADD', keys.leases(job[QUEUE]), ends_at, name)
  call('ZADD', keys.worker_leases(job[WORKER]), ends_at, name)
end

return shared
