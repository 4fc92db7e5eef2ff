-- job_undepend: a job waits for others no longer.
--
-- args    JSON  jid      text
--               on       list of 1 to 256 jids
--               all      true: for none, instead of `on`
-- reply   text    the job's state now
-- errors  INVALID_ARGUMENT, JOB_NOT_FOUND
-- keys    {ns}:job:<jid> {ns}:blocked:<q> {ns}:dependencies:<jid> {ns}:dependents:<jid> {ns}:waiting:<q> {ns}:scheduled:<q> and the
--         places of a job
operation('job_undepend', 'write', function(argv)
  local args = check.object(argv[3], 'args', { jid = true, on = true, all = 'boolean' })
  local jid = check.name(args.jid, 'jid')
  if (args.on == nil) == (args.all == nil) or (args.all ~= nil and args.all ~= true) then
    fail('INVALID_ARGUMENT', 'on and all: give a list, or all as true')
  end
  local on = args.on ~= nil and texts.union(check.some_names(args.on, 'on', dependency.most))
  state.begin()
  local job = state.existing(jid)
  on = on or call('ZRANGE', keys.dependencies(jid), '0', '-1')
  if record.rare(job, HAS_DEPENDENCIES) then
    dependency.leave(job, on)
  end
  local answer = STATE_NAMES[job[STATE]]
  state.commit()
  return answer
end)
