-- job_heartbeat: renews leases to their full length, ending any grace.
--
-- args    items of  jid      text
--                   token    text     proves the lease
-- reply   per item  the lease in ms, or LOCK_LOST <reason>
-- errors  INVALID_ARGUMENT
-- keys    {ns}:job:<jid> {ns}:running:<q> {ns}:grace:<q> {ns}:due {ns}:config
operation('job_heartbeat', 'write', function(argv)
  local held, jids = lease.parse(argv, 3)
  state.begin()
  state.load_all(jids)
  local reply = {}
  for index, parsed in ipairs(held) do
    local item, lost = lease.held(parsed.jid, parsed.token)
    reply[index] = item and lease.renew(item, 1) or lost
  end
  state.commit()
  return reply
end)
