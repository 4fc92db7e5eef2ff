-- recurring_list: the recurring jobs of a queue, next first, paused ones last, by pages.
--
-- args    JSON  queue    text
--               offset   integer  0 or more (0)
--               limit    integer  1..250 (25)
-- reply   map   total  integer; jobs  list of what recurring_get answers; rest  null, or the offset and limit to ask with for
--               those that are left out, as these have more than 1 MiB
-- errors  INVALID_ARGUMENT
-- keys    {ns}:recurring:<q> {ns}:template:<jid>
operation('recurring_list', 'read', function(argv)
  local args = check.object(argv[3], 'args', page.arguments({ queue = true }))
  local key = keys.recurring(check.name(args.queue, 'queue'))
  local offset, limit = page.parse(args)
  local list, rest = page.shown(page.members(key, offset, limit), offset, function(jid)
    local template = recurring.load(jid)
    if template then
      return recurring.view(template), call('STRLEN', keys.template(jid))
    end
  end)
  return { map = { total = call('ZCARD', key), jobs = list, rest = rest } }
end)
