-- queue_list: the queues in the order they were first used, with their counts, by pages.
--
-- args    JSON  offset   integer  0 or more (0)
--               limit    integer  1..250 (25)
-- reply   map   total  integer; queues  list of maps: queue, and what queue_counts answers
-- errors  INVALID_ARGUMENT
-- keys    {ns}:queues and those of queue_counts
operation('queue_list', 'read', function(argv)
  local args = check.object(argv[3], 'args', page.arguments({}))
  local offset, limit = page.parse(args)
  local list = {}
  for index, queue in ipairs(page.members(keys.queues(), offset, limit)) do
    local counts = queues.counts(queue)
    counts.queue = queue
    list[index] = { map = counts }
  end
  return { map = { total = call('ZCARD', keys.queues()), queues = list } }
end)
