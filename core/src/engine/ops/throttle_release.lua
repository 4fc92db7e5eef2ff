-- throttle_release: takes a throttle off a job: it holds it no longer, and waits for it no longer.
--
-- args    JSON  id       text
--               jid      text
-- reply   integer  1 when the job had it, else 0
-- errors  INVALID_ARGUMENT, JOB_NOT_FOUND
-- keys    {ns}:job:<jid> {ns}:held:<id> {ns}:pending:<id> and the places of a job
operation('throttle_release', 'write', function(argv)
  local args = check.object(argv[3], 'args', { id = true, jid = true })
  local id, jid = throttle.id(args.id, 'id'), check.name(args.jid, 'jid')
  state.begin()
  local job = state.existing(jid)
  local before = record.rare(job, THROTTLES) or {}
  local after = texts.without(before, { id })
  if #(after or {}) == #before then
    return 0
  end
  state.set_rare(job, THROTTLES, after)
  if job[STATE] == THROTTLED and record.rare(job, PENDING) == id then
    state.wait(job, record.ready_at(job), true)
  end
  state.commit()
  return 1
end)
