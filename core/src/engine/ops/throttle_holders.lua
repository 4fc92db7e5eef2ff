-- throttle_holders: the jobs that hold a throttle, who began first before others, by pages. Of a queue's own: whose lease ends
-- first, and after all of these the jobs in grace, whose grace ends first.
--
-- args    JSON  id       text     or
--               queue    text     the queue's own
--               offset   integer  0 or more (0)
--               limit    integer  1..250 (25)
-- reply   map   total  integer; jids  list
-- errors  INVALID_ARGUMENT
-- keys    {ns}:held:<id> {ns}:running:<q> {ns}:lease:<token>:<q> {ns}:leases:<q> {ns}:leased:<q> {ns}:grace:<q>
operation('throttle_holders', 'read', function(argv)
  local args = check.object(argv[3], 'args', page.arguments({ id = true, queue = true }))
  local id = throttle.named(args)
  local queue = throttle.queue_of(id)
  if not queue then
    return page.jids(keys.held(id), args)
  end
  local offset, limit = page.parse(args)
  return { map = { total = throttle.holders(id), jids = queues.holders(queue, offset, limit) } }
end)
