-- What queues and workers have in hand, by the ends of the leases: jobs that stand by themselves, and shared leases.
local in_hand = {}

-- So many jids are read at most in one go, but for the last lease.
local MOST_READ = 500

-- Appends the jobs that share a lease, until there are `limit`; how many jids were read. One that nobody shares is closed.
local function add_sharing(found, name, limit, worker)
  local key, jids, shares = keys.lease(name), shared.listed(name), false
  state.load_all(jids)
  for index = 1, #jids do
    local job = state.load(jids[index])
    if job and job[FROM] == key then
      shares = true
      if #found < limit then
        found[#found + 1] = job
      end
    end
  end
  if not shares then
    shared.close(name, worker)
  end
  return #jids
end

-- The jobs in hand whose lease ends by `time`, at most `limit`, the first before others: of the zset `alone` of jids those for which
-- it holds that they belong there, and of the zset `leases`, of a `worker` if it is not of a queue. What does not belong is dropped
-- there; a lease that cannot be read, as its key is of another type, keeps no other. Second: how many were looked at.
function in_hand.ending_by(alone, leases, time, limit, belongs, worker)
  local found, looked, read, at = {}, 0, 0, 1
  local singles = call('ZRANGE', alone, '-inf', time, 'BYSCORE', 'LIMIT', '0', text(limit), 'WITHSCORES')
  local shares = call('ZRANGE', leases, '-inf', time, 'BYSCORE', 'LIMIT', '0', text(limit), 'WITHSCORES')
  local function add_singles(before)
    local jids = {}
    while singles[at] and tonumber(singles[at + 1]) < before and #jids < limit - #found do
      jids[#jids + 1] = singles[at]
      at = at + 2
    end
    state.load_all(jids)
    for index = 1, #jids do
      local job = state.load(jids[index])
      if job and belongs(job) then
        found[#found + 1] = job
      else
        call('ZREM', alone, jids[index])
      end
    end
    looked = looked + #jids
  end
  for index = 1, #shares, 2 do
    add_singles(tonumber(shares[index + 1]))
    if #found == limit or read > MOST_READ then
      return found, looked
    end
    local before = #found
    local ok, count = pcall(add_sharing, found, shares[index], limit, worker)
    if ok then
      read, looked = read + count, looked + max(1, #found - before)
    else
      warn('shared lease', shares[index], count)
    end
  end
  add_singles(1 / 0)
  return found, looked
end

return in_hand
