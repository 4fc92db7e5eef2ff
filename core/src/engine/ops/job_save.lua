-- job_save: keeps new data of a running job, and renews its lease to its full length.
--
-- args    JSON  jid      text
--               token    text     proves the lease
--               data     text     JSON, at most max-data bytes
-- reply   integer  the lease in ms
-- errors  INVALID_ARGUMENT, LOCK_LOST
-- keys    {ns}:job:<jid> {ns}:data:<jid> {ns}:running:<q> {ns}:lease:<token>:<q> {ns}:leases:<q> {ns}:leased:<q> {ns}:grace:<q> {ns}:due
--         {ns}:config {ns}:worker-jobs:<name> {ns}:worker-leases:<name>
operation('job_save', 'grow', function(argv)
  local args = check.object(argv[3], 'args', { jid = true, token = true, data = true })
  local jid, token = check.name(args.jid, 'jid'), check.token(args.token)
  local data = put_options.check_data(args.data, config.get('max-data'), 'data')
  state.begin()
  local job = lease.present(jid, token)
  state.set_payload(job, data)
  local left = lease.renew(job, 1)
  state.commit()
  return left
end)
