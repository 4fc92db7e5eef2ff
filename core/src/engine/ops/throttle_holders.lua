-- throttle_holders: the jobs that hold a throttle, who began first before others (of a queue, whose lease ends first), by pages.
--
-- args    JSON  id       text     or
--               queue    text     the queue's own
--               offset   integer  0 or more (0)
--               limit    integer  1..500 (25)
-- reply   map   total  integer; jids  list
-- errors  INVALID_ARGUMENT
-- keys    {ns}:held:<id> {ns}:running:<q> {ns}:grace:<q>
operation('throttle_holders', 'read', function(argv)
  local args = check.object(argv[3], 'args', page.arguments({ id = true, queue = true }))
  local id = throttle.named(args)
  local queue = throttle.queue_of(id)
  if not queue then
    return page.jids(keys.held(id), args)
  end
  local offset, limit = page.parse(args)
  local jids = page.members(keys.running(queue), offset, limit)
  local rest = max(0, offset - call('ZCARD', keys.running(queue)))
  if #jids < limit then
    for _, jid in ipairs(page.members(keys.grace(queue), rest, limit - #jids)) do
      jids[#jids + 1] = jid
    end
  end
  return { map = { total = throttle.holders(id), jids = jids } }
end)
