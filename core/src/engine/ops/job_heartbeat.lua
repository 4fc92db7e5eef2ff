-- job_heartbeat: renews leases to their full length, ending any grace.
--
-- args    items of  jid      text
--                   token    text     proves the lease
-- reply   per item  the lease in ms, or LOCK_LOST <reason>
-- errors  INVALID_ARGUMENT
-- keys    {ns}:job:<jid> {ns}:running:<q> {ns}:lease:<token>:<q> {ns}:leases:<q> {ns}:leased:<q> {ns}:grace:<q> {ns}:due {ns}:config
--         {ns}:worker-jobs:<name> {ns}:worker-leases:<name>
operation('job_heartbeat', 'write', function(argv)
  local jids, tokens = lease.parse(argv, 3)
  state.begin()
  state.load_all(jids)
  local reply = {}
  for index, jid in ipairs(jids) do
    local job, lost = lease.held(jid, tokens[index])
    reply[index] = job and lease.renew(job, 1) or lost
  end
  state.commit()
  return reply
end, nil, true)
