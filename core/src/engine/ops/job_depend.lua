-- job_depend: a job that has not begun waits for others.
--
-- args    JSON  jid      text
--               on       list of 1 to 256 jids
--               missing  satisfied | reject (satisfied: what a dependency is that does not exist)
-- reply   list  of those of `on` that were satisfied already, completed or unknown
-- errors  INVALID_ARGUMENT, JOB_NOT_FOUND, WRONG_STATE (it runs or has ended), UNKNOWN_DEPENDENCY, CYCLE, TOO_DEEP
-- keys    {ns}:job:<jid> {ns}:blocked:<q> {ns}:dependencies:<jid> {ns}:dependents:<jid> and the places of a job
operation('job_depend', 'grow', function(argv)
  local args = check.object(argv[3], 'args', { jid = true, on = true, missing = true })
  local jid = check.name(args.jid, 'jid')
  local on = texts.union(check.some_names(args.on, 'on', dependency.most))
  local reject = dependency.parse_missing(args.missing)
  state.begin()
  local job = state.existing(jid)
  if job[STATE] >= RUNNING then
    fail('WRONG_STATE', 'job ' .. jid .. ' is ' .. STATE_NAMES[job[STATE]] .. ': it cannot wait for others')
  end
  local open, satisfied = dependency.split(on, reject)
  if #open > 0 then
    dependency.refuse_cycle(jid, open)
    dependency.refuse_too_many(job, open)
    dependency.mark(open)
    dependency.link(job, open)
    if job[STATE] ~= BLOCKED then
      state.block(job, record.ready_at(job))
    end
  end
  state.commit()
  return satisfied
end)
