-- job_timeout: ends the lease of a running job now: a retry is spent and it waits again where it was, or fails when none is
-- left. Who runs it loses it.
--
-- args    JSON  jid      text
-- reply   text    waiting | failed
-- errors  INVALID_ARGUMENT, JOB_NOT_FOUND, WRONG_STATE (it does not run)
-- keys    those of sweep; channel {ns}:worker-event:<name>
operation('job_timeout', 'write', function(argv)
  local args = check.object(argv[3], 'args', { jid = true })
  local jid = check.name(args.jid, 'jid')
  state.begin()
  local job = state.existing(jid)
  if job[STATE] ~= RUNNING then
    fail('WRONG_STATE', 'job ' .. jid .. ' is ' .. STATE_NAMES[job[STATE]] .. ', not running')
  end
  lease.hand_on(job, 'timeout')
  local answer = STATE_NAMES[job[STATE]]
  state.commit()
  return answer
end)
