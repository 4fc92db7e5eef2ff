-- job_prioritize: changes the priority of a job that has not ended; among its new equals it keeps the order of putting.
--
-- args    JSON  jid       text
--               priority  integer  -128..127; higher is reserved first
-- reply   OK
-- errors  INVALID_ARGUMENT, JOB_NOT_FOUND, WRONG_STATE (it is completed or failed)
-- keys    {ns}:job:<jid> {ns}:waiting:<q> {ns}:throttled:<q> {ns}:pending:<id> and the places of a job
operation('job_prioritize', 'write', function(argv)
  local args = check.object(argv[3], 'args', { jid = true, priority = true })
  local jid = check.name(args.jid, 'jid')
  local priority = put_options.priority(args.priority)
  state.begin()
  local job = state.existing(jid)
  if job[STATE] == COMPLETED or job[STATE] == FAILED then
    fail('WRONG_STATE', 'job ' .. jid .. ' is ' .. STATE_NAMES[job[STATE]] .. '; requeue it with another priority')
  end
  state.set_priority(job, priority)
  state.commit()
  return 'OK'
end)
