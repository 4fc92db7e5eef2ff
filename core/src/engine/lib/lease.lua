-- Tokens and leases: who may change a running job.
local lease = {}

-- LOST_REASON: how a run ended that its worker did not end; a run without one was finished by it.
local reasons = { e = 'expired', r = 'replaced', c = 'cancelled' }

-- A token that only grows, whatever was trimmed or lost.
function lease.new_token()
  local token = max(tonumber(call('GET', keys.token()) or '0') + 1, now * 1024)
  call('SET', keys.token(), text(token))
  return token
end

-- The item when `token` still holds the job, else nil and 'LOCK_LOST <reason>'.
function lease.held(jid, token)
  local item = state.load(jid)
  if not item then
    return nil, 'LOCK_LOST unknown'
  end
  local job = item.job
  local held = job[TOKEN] or 0
  if token == held and job[STATE] == RUNNING then
    return item
  end
  if token == held then
    return nil, 'LOCK_LOST ' .. (reasons[job[LOST_REASON]] or 'finished')
  end
  return nil, token < held and 'LOCK_LOST expired' or 'LOCK_LOST unknown'
end

-- Items of jid and token, from argument `first` on.
function lease.parse(argv, first)
  local parsed, jids = {}, {}
  for index = 1, check.items(argv, first, 2) do
    local at = first + (index - 1) * 2
    jids[index] = check.name(argv[at], 'jid')
    parsed[index] = { jid = jids[index], token = check.token(argv[at + 1]) }
  end
  return parsed, jids
end

-- Renews the lease to its full length when less than `share` of it is left; returns what is left in ms.
function lease.renew(item, share)
  local lease_ms = config.get('heartbeat', item.job[QUEUE])
  if item.job[LEASE_UNTIL] - now < lease_ms * share or item.job[GRACE_UNTIL] then
    state.renew(item, now + lease_ms)
  end
  return item.job[LEASE_UNTIL] - now
end

-- The lease is over and the job is handed on: a retry is spent, or none is left and it fails.
function lease.hand_on(item)
  local job = item.job
  local queue = job[QUEUE]
  job[LOST_REASON] = 'e'
  local remaining = record.remaining(job)
  if remaining > 0 then
    job[REMAINING] = remaining - 1
    stats.retry(queue)
    history.close_run(item.jid, job, 'l')
    state.wait(item, now, true)
  else
    stats.failure(queue)
    history.close_run(item.jid, job, 'l')
    failure.write(item, 'failed-retries-' .. queue, 'the lease of worker ' .. job[WORKER] .. ' ran out and no retry was left', '')
  end
end

return lease
