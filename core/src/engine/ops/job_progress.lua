-- job_progress: says how far a running job is.
--
-- args    JSON  jid       text
--               token     text     proves the lease
--               progress  number   0..1
--               note      text     at most 1,024 bytes ('')
-- reply   OK
-- errors  INVALID_ARGUMENT, LOCK_LOST
-- keys    {ns}:job:<jid> and the places of a job
local MAX_NOTE = 1024

operation('job_progress', 'write', function(argv)
  local args = check.object(argv[3], 'args', { jid = true, token = true, progress = true, note = true })
  local jid = check.name(args.jid, 'jid')
  local token = check.token(args.token)
  local progress, note = args.progress, args.note or ''
  if type(progress) ~= 'number' or not (progress >= 0 and progress <= 1) then
    fail('INVALID_ARGUMENT', 'progress must be a number from 0 to 1')
  end
  check.note(note, 'note', MAX_NOTE)
  state.begin()
  state.set_rare(lease.present(jid, token), PROGRESS, { progress, note, now })
  state.commit()
  return 'OK'
end)
