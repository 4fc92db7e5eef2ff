-- throttle_get: a throttle's limit, and how many hold it and wait for it.
--
-- args    JSON  id       text     or
--               queue    text     the queue's own
-- reply   map   id  or queue; limit  integer, null when there is none; held pending  integers; expires_ms  integer, null for good
-- errors  INVALID_ARGUMENT
-- keys    {ns}:throttle:<id> {ns}:held:<id> {ns}:pending:<id> {ns}:running:<q> {ns}:leased:<q> {ns}:grace:<q>
operation('throttle_get', 'read', function(argv)
  return throttle.view(throttle.named(check.object(argv[3], 'args', { id = true, queue = true })))
end)
