-- job_log: adds an entry to a job's history.
--
-- args    JSON  jid      text
--               message  text     1 to 1,024 bytes
--               data     text     JSON that belongs to it; with the message at most 1,024 bytes
--               token    text     the lease; without one anybody may add an entry
-- reply   OK
-- errors  INVALID_ARGUMENT, JOB_NOT_FOUND, LOCK_LOST
-- keys    {ns}:job:<jid> {ns}:history:<jid> and the places of a job
local MAX_ENTRY = 1024

operation('job_log', 'write', function(argv)
  local args = check.object(argv[3], 'args', { jid = true, message = true, data = true, token = true })
  local jid = check.name(args.jid, 'jid')
  local token = args.token ~= nil and check.token(args.token)
  local message, data = args.message, args.data or ''
  if check.note(message, 'message', MAX_ENTRY) == '' then
    fail('INVALID_ARGUMENT', 'message is empty')
  elseif type(data) == 'string' and #message + #data > MAX_ENTRY then
    fail('INVALID_ARGUMENT', 'message and data have ' .. (#message + #data) .. ' bytes, at most ' .. MAX_ENTRY .. ' are allowed')
  end
  check.note(data, 'data', MAX_ENTRY)
  state.begin()
  local job = lease.present(jid, token)
  history.log(job, message, data)
  state.touch(job)
  state.commit()
  return 'OK'
end)
