-- Shared leases. Jobs of one queue that one call reserved have their token, worker and the end of their lease in common: while
-- nothing else happens to them they are one entry of what the queue and the worker have in hand, not one each, so that what a
-- batch costs there does not grow with it. Their records say that they share it. A job that is completed or changed leaves it, and
-- stands by itself if it still runs. The list of jids stays as it was; the records tell which are still of it, `left` how many.
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

-- These jobs share it from now on.
function shared.begin(name, worker, ends_at, jids)
  local queue = shared.queue_of(name)
  call('HSET', keys.lease(name), 'jids', concat(jids, '\n'), 'left', text(#jids))
  call('ZADD', keys.leases(queue), ends_at, name)
  call('ZADD', keys.worker_leases(worker), ends_at, name)
  call('HINCRBY', keys.leased(), queue, text(#jids))
end

-- So many leave it, or, where the number is negative, are back; how many are left. All or nothing.
function shared.leave(name, count)
  local key, queue = keys.lease(name), shared.queue_of(name)
  local left = call('HINCRBY', key, 'left', text(-count))
  local answer = redis.pcall('HINCRBY', keys.leased(), queue, text(-count))
  if type(answer) == 'table' then
    call('HINCRBY', key, 'left', text(count))
    error(answer)
  end
  return left
end

-- Nobody shares it any more. A key of another type has nothing to be taken out.
function shared.close(name, worker)
  redis.pcall('ZREM', keys.leases(shared.queue_of(name)), name)
  if worker then
    redis.pcall('ZREM', keys.worker_leases(worker), name)
  end
  call('UNLINK', keys.lease(name))
end

-- ## What is said of them

-- How many jobs of a queue share leases.
function shared.count(queue)
  return max(0, tonumber(call('HGET', keys.leased(), queue) or '0'))
end

-- How many jobs of a queue are in hand, but for those in grace.
function shared.in_hand(queue)
  return call('ZCARD', keys.running(queue)) + shared.count(queue)
end

local function left_of(name)
  return max(0, tonumber(call('HGET', keys.lease(name), 'left') or '0'))
end

-- How many jobs have the leases of a zset that end by `time`.
function shared.ended(leases, time)
  local count = 0
  for _, name in ipairs(call('ZRANGE', leases, '-inf', time, 'BYSCORE')) do
    count = count + left_of(name)
  end
  return count
end

-- Counts anew how many jobs of a queue share leases, for repairs.
function shared.recount(queue)
  call('HSET', keys.leased(), queue, text(shared.ended(keys.leases(queue), '+inf')))
end

-- How many jobs of a worker have a lease that ends by `time`.
function shared.held_by(worker, time)
  return call('ZCOUNT', keys.worker_jobs(worker), '-inf', time) + shared.ended(keys.worker_leases(worker), time)
end

-- The jids of all that ever shared it, which are a few hundred at most.
function shared.listed(name)
  local jids = {}
  for jid in (call('HGET', keys.lease(name), 'jids') or ''):gmatch('[^\n]+') do
    jids[#jids + 1] = jid
  end
  return jids
end

-- The jobs that still share it, for readers.
function shared.jobs(name)
  local jobs = {}
  for _, job in ipairs(record.load_many(shared.listed(name))) do
    if job and job[SHARES] and shared.name(job[TOKEN], job[QUEUE]) == name then
      jobs[#jobs + 1] = job
    end
  end
  return jobs
end

-- A page of what is in hand, whose lease ends first before others: of the zset `alone` of jids and the zset `leases`.
function shared.page(alone, leases, offset, limit)
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
      return call('ZRANGE', alone, text(used + skipped), text(used + skipped + most - 1))
    end)
    used = rank
  end
  local ends = call('ZRANGE', leases, '0', '-1', 'WITHSCORES')
  for index = 1, #ends, 2 do
    if #found == limit then
      return found
    end
    local name = ends[index]
    add_alone(call('ZCOUNT', alone, '-inf', '(' .. ends[index + 1]))
    add(left_of(name), function(skipped, most)
      local jids, jobs = {}, shared.jobs(name)
      for at = skipped + 1, min(skipped + most, #jobs) do
        jids[#jids + 1] = jobs[at][JID]
      end
      return jids
    end)
  end
  add_alone(call('ZCARD', alone))
  return found
end

return shared
