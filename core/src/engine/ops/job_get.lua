-- job_get: all that is known of a job.
--
-- args    JSON  jid      text
-- reply   map   jid kind queue state stalled data result priority retries remaining put_at_ms due_at_ms worker token
--               lease_until_ms tags route throttles headers timeout_ms backoff_ms (of the job itself)
--               dependencies (still waited for) dependents (the first 256) tracked
--               parent (the recurring job that put it) progress {value note at_ms} failure {group message trace at_ms worker}
--               history [{what at_ms …}]; nil when there is no such job. data and result are the JSON as it was given.
--               history  what: put (queue) reserved (worker) completed (run_ms) retried (group) snoozed failed (group) lost
--               timed_out (the lease was ended by hand) log (message data) requeued
-- errors  INVALID_ARGUMENT
-- keys    {ns}:job:<jid> {ns}:data:<jid> {ns}:result:<jid> {ns}:failure:<jid> {ns}:history:<jid>
--         {ns}:dependencies:<jid> {ns}:dependents:<jid>
operation('job_get', 'read', function(argv)
  local args = check.object(argv[3], 'args', { jid = true })
  local job = record.load(check.name(args.jid, 'jid'))
  return job and (view.job(job)) or nil
end)
