-- throttle_delete: takes a limit away. Its pending jobs wait in their queues again.
--
-- args    JSON  id       text     or
--               queue    text     the queue's own
-- reply   integer  1 when there was one, else 0
-- errors  INVALID_ARGUMENT
-- keys    those of throttle_set
operation('throttle_delete', 'write', function(argv)
  local id = throttle.named(check.object(argv[3], 'args', { id = true, queue = true }))
  local count = call('DEL', keys.throttle(id))
  call('ZREM', keys.throttles(), id)
  state.begin()
  freeing.throttle(id)
  return count
end)
