-- What queues and workers have in hand, by the ends of the leases: jobs that stand by themselves, and shared leases.
local ending = {}

-- So many jids are read at most in one go, but for the last lease.
local MOST_READ = 500

-- Appends the jobs that share a lease, if they are of the zset `leases`, until there are `limit`; how many jids were read. What nobody
-- shares is dropped, and what others share is no longer in that zset.
local function add_sharing(found, leases, name, limit, is_of, worker)
  local key, jids, shares, belongs = keys.lease(name), shared.listed(name), false, false
  state.load_all(jids)
  for index = 1, #jids do
    local job = state.load(jids[index])
    if job and job[FROM] == key then
      shares = true
      if is_of(job) then
        belongs = true
        if #found < limit then
          found[#found + 1] = job
        end
      end
    end
  end
  if not shares then
    shared.drop(name, worker)
  end
  if not belongs then
    call('ZREM', leases, name)
  end
  return #jids
end

-- The jobs in hand of a queue, or of a `worker`, whose lease ends by `time`, at most `limit`, the first before others: of the zset
-- `alone` of jids those that stand there by their records, stands(job), and of the zset `leases` those of that queue or worker,
-- is_of(job). What does not belong is dropped there; a lease that cannot be read, as its key is of another type, keeps no other.
-- Second: how many were looked at.
function ending.by(alone, leases, time, limit, stands, is_of, worker)
  local found, looked, read, at = {}, 0, 0, 1
  local singles = call('ZRANGE', alone, '-inf', time, 'BYSCORE', 'LIMIT', '0', text(limit), 'WITHSCORES')
  local names = call('ZRANGE', leases, '-inf', time, 'BYSCORE', 'LIMIT', '0', text(limit), 'WITHSCORES')
  local function add_singles(before)
    local jids = {}
    while singles[at] and tonumber(singles[at + 1]) < before and #jids < limit - #found do
      jids[#jids + 1] = singles[at]
      at = at + 2
    end
    state.load_all(jids)
    for index = 1, #jids do
      local job = state.load(jids[index])
      if job and stands(job) then
        found[#found + 1] = job
      else
        call('ZREM', alone, jids[index])
      end
    end
    looked = looked + #jids
  end
  for index = 1, #names, 2 do
    add_singles(tonumber(names[index + 1]))
    if #found == limit or read > MOST_READ then
      return found, looked
    end
    local before = #found
    local ok, count = pcall(add_sharing, found, leases, names[index], limit, is_of, worker)
    if ok then
      read, looked = read + count, looked + max(1, #found - before)
    else
      warn('shared lease', names[index], count)
    end
  end
  add_singles(1 / 0)
  return found, looked
end

return ending
