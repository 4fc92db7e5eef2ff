-- throttle_set: limits how many jobs run at once that hold a throttle, or that are in a queue.
--
-- args    JSON  id       text     a throttle that jobs name; not beginning with queue:
--               queue    text     instead: the queue's own
--               limit    integer  0..1,000,000,000; 0 lets none run. A lower limit lets running jobs go on.
--               expires_ms  integer  for how long the limit holds (for good)
-- reply   OK
-- errors  INVALID_ARGUMENT
-- keys    {ns}:throttle:<id> {ns}:throttles {ns}:pending:<id> {ns}:freeing {ns}:meta and the places of a job
operation('throttle_set', 'grow', function(argv)
  local args = check.object(argv[3], 'args', { id = true, queue = true, limit = true, expires_ms = true })
  local id = throttle.named(args)
  local limit = check.integer(args.limit, 'limit', 0, 1e9)
  local ends_at = args.expires_ms ~= nil and now + check.integer(args.expires_ms, 'expires_ms', 1, check.LONGEST_MS)
  uses.begin('throttles')
  call('SET', keys.throttle(id), text(limit) .. (ends_at and ' ' .. text(ends_at) or ''))
  call('ZADD', keys.throttles(), '0', id)
  state.begin()
  if ends_at then
    freeing.note_throttle(id, ends_at)
  end
  freeing.throttle(id)
  return 'OK'
end)
