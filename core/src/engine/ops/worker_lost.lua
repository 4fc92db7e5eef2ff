-- worker_lost: a supervisor saw this worker's process die. Its started jobs are handed on as lost leases
-- (a retry is spent), the others released; whatever it still had on the way is refused.
--
-- args    JSON  worker   text
--               started  list of jids that its handlers had begun (default: none)
-- reply   map   lost released  integers; at most 100 jobs a call: call again until both are 0
-- errors  INVALID_ARGUMENT
-- keys    {ns}:workers {ns}:worker:<name> {ns}:worker-jobs:<name> {ns}:worker-leases:<name> {ns}:lease:<token>:<q> {ns}:meta, and those
--         of job_release and sweep
local MAX_STARTED = 1000

operation('worker_lost', 'write', function(argv)
  local args = check.object(argv[3], 'args', { worker = true, started = true })
  local worker = check.name(args.worker, 'worker')
  local started = {}
  for _, jid in ipairs(check.names(args.started or {}, 'started', MAX_STARTED)) do
    started[jid] = true
  end
  uses.begin('losses')
  call('ZADD', keys.workers(), '-' .. now_text, worker)
  call('DEL', keys.worker(worker))
  state.begin()
  local lost, released = 0, 0
  local alone, leases = keys.worker_jobs(worker), keys.worker_leases(worker)
  local function is_of(job)
    return job[WORKER] == worker
  end
  local jobs = ending.by(alone, leases, '+inf', MAX_SWEEP, function(job)
    return job[STATE] == RUNNING and is_of(job) and not shared.named_by(job[FROM])
  end, is_of, worker)
  for _, job in ipairs(jobs) do
    if started[job[JID]] then
      lease.hand_on(job, 'lost')
      lost = lost + 1
    else
      outcome.release(job)
      released = released + 1
    end
  end
  state.commit()
  return { map = { lost = lost, released = released } }
end)
