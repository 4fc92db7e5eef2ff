-- job_get: all that is known of a job.
--
-- args    JSON  jid      text
-- reply   map   jid kind queue state stalled data result priority retries remaining put_at_ms due_at_ms worker token
--               lease_until_ms tags route failure {group message trace at_ms worker} history [{what at_ms …}];
--               nil when there is no such job. data and result are the JSON as it was given.
--               history  what: put (queue) reserved (worker) completed (run_ms) retried (group) snoozed failed (group) lost
-- errors  INVALID_ARGUMENT
-- keys    {ns}:job:<jid> {ns}:data:<jid> {ns}:result:<jid> {ns}:failure:<jid> {ns}:history:<jid>
local names = {
  [WAITING] = 'waiting',
  [SCHEDULED] = 'scheduled',
  [BLOCKED] = 'blocked',
  [THROTTLED] = 'throttled',
  [RUNNING] = 'running',
  [FAILED] = 'failed',
  [COMPLETED] = 'completed',
}

local function json(value)
  return { verbatim_string = { format = 'jsn', string = value } }
end

local function view(jid, job)
  local running = job[STATE] == RUNNING
  local in_grace = running and record.rare(job, GRACE_UNTIL) ~= nil
  local result = record.has(job, HAS_RESULT) and call('GET', keys.result(jid))
  return {
    map = {
      jid = jid,
      kind = job[KIND],
      queue = job[QUEUE],
      state = names[job[STATE]],
      stalled = in_grace or (running and job[LEASE_UNTIL] <= now),
      data = json(record.payload(job)),
      result = result and json(result) or null,
      priority = record.priority(job),
      retries = record.retries(job),
      remaining = record.remaining(job),
      put_at_ms = job[PUT_AT],
      due_at_ms = job[STATE] == SCHEDULED and record.ready_at(job) or null,
      worker = running and job[WORKER] or null,
      token = running and text(job[TOKEN]) or null,
      lease_until_ms = running and job[LEASE_UNTIL] or null,
      tags = record.rare(job, TAGS) or {},
      route = record.rare(job, ROUTE) or {},
      failure = failure.read(job),
      history = history.read(job),
    },
  }
end

operation('job_get', 'read', function(argv)
  local args = check.object(argv[3], 'args', { jid = true })
  local jid = check.name(args.jid, 'jid')
  local job = record.load(jid)
  return job and view(jid, job) or nil
end)
