-- Tokens and leases: who may change a running job.
local lease = {}

-- LOST_REASON: how a run ended that its worker did not end; a run without one was finished by it.
local reasons = { e = 'expired', r = 'replaced' }

-- How long a worker can learn that the job it had was cancelled.
local CANCELLED_SECONDS = '86400'

-- A token that only grows, whatever was trimmed or lost.
function lease.new_token()
  local token = max(tonumber(meta.token or '0') + 1, now * 1024)
  write_meta('token', text(token))
  return token
end

-- The job when `token` still holds the job, else nil and 'LOCK_LOST <reason>'.
function lease.held(jid, token)
  local job = state.load(jid)
  local held = job and job[TOKEN] or 0
  if token == held and job and job[STATE] == RUNNING then
    return job
  end
  local cancelled = call('GET', keys.cancelled(jid))
  if cancelled and tonumber(cancelled) == token then
    return nil, 'LOCK_LOST cancelled'
  elseif not job then
    return nil, 'LOCK_LOST unknown'
  elseif token == held then
    return nil, 'LOCK_LOST ' .. (reasons[record.rare(job, LOST_REASON)] or 'finished')
  end
  return nil, token < held and 'LOCK_LOST expired' or 'LOCK_LOST unknown'
end

-- A job that has to be there, and with a token has to be held by it.
function lease.present(jid, token)
  if not token then
    return state.existing(jid)
  end
  local job, lost = lease.held(jid, token)
  if not job then
    fail('LOCK_LOST', sub(lost, 11))
  end
  return job
end

-- Pairs of jid and token, from argument `first` on: the jids, and the numbers of the tokens.
function lease.parse(argv, first)
  local jids, tokens = {}, {}
  for index = 1, check.items(argv, first, 2) do
    local at = first + (index - 1) * 2
    jids[index], tokens[index] = argv[at], check.token(argv[at + 1])
  end
  return jids, tokens
end

-- Renews the lease to its full length when less than `share` of it is left; returns what is left in ms.
function lease.renew(job, share)
  local lease_ms = config.get('heartbeat', job[QUEUE])
  if job[LEASE_UNTIL] - now < lease_ms * share or record.rare(job, GRACE_UNTIL) then
    state.renew(job, now + lease_ms)
  end
  return job[LEASE_UNTIL] - now
end

-- The job disappears; who runs it is told so.
function lease.cancel(jobs)
  for _, job in ipairs(jobs) do
    if job[STATE] == RUNNING then
      local key, token = keys.cancelled(job[JID]), text(job[TOKEN])
      state.later(function()
        call('SET', key, token, 'EX', CANCELLED_SECONDS)
      end)
    end
  end
  dependency.leave_all(jobs)
  for _, job in ipairs(jobs) do
    state.cancel(job)
  end
end

-- Why a lease is over that its worker did not end: the code of the history, and what a job without a retry is failed with.
local ENDINGS = {
  expired = { 'l', 'the lease of worker %s ran out' },
  lost = { 'l', 'worker %s was declared lost' },
  timeout = { 'o', 'the lease of worker %s was ended by job_timeout' },
}

-- The lease is over and the job is handed on: a retry is spent, or none is left and it fails. `reason`: one of ENDINGS.
function lease.hand_on(job, reason)
  local queue = job[QUEUE]
  local code, said = unpack(ENDINGS[reason])
  record.set_rare(job, LOST_REASON, 'e')
  local remaining = record.remaining(job)
  if remaining > 0 then
    record.set_rare(job, REMAINING, remaining - 1)
    stats.retry(queue)
    history.close_run(job, code)
    state.wait(job, now, true)
  else
    stats.failure(queue)
    history.close_run(job, code)
    failure.write(job, 'failed-retries-' .. queue, format(said, job[WORKER]) .. ' and no retry was left', '')
  end
end

return lease
