-- throttle_pending: the jobs that wait for a throttle, next first, by pages.
--
-- args    JSON  id       text     or
--               queue    text     the queue's own
--               offset   integer  0 or more (0)
--               limit    integer  1..250 (25)
-- reply   map   total  integer; jids  list
-- errors  INVALID_ARGUMENT
-- keys    {ns}:pending:<id>
operation('throttle_pending', 'read', function(argv)
  local args = check.object(argv[3], 'args', page.arguments({ id = true, queue = true }))
  return page.jids(keys.pending(throttle.named(args)), args)
end)
