-- recurring_list: the recurring jobs of a queue, next first, paused ones last, by pages.
--
-- args    JSON  queue    text
--               offset   integer  0 or more (0)
--               limit    integer  1..500 (25)
-- reply   map   total  integer; jobs  list of what recurring_get answers
-- errors  INVALID_ARGUMENT
-- keys    {ns}:recurring:<q> {ns}:template:<jid>
operation('recurring_list', 'read', function(argv)
  local args = check.object(argv[3], 'args', page.arguments({ queue = true }))
  local key = keys.recurring(check.name(args.queue, 'queue'))
  local offset, limit = page.parse(args)
  local list = {}
  for _, jid in ipairs(page.members(key, offset, limit)) do
    local template = recurring.load(jid)
    list[#list + 1] = template and recurring.view(template)
  end
  return { map = { total = call('ZCARD', key), jobs = list } }
end)
