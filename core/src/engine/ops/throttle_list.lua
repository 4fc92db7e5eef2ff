-- throttle_list: the throttles with a limit, by name, by pages.
--
-- args    JSON  offset   integer  0 or more (0)
--               limit    integer  1..250 (25)
-- reply   map   total  integer; throttles  list of what throttle_get answers; one whose limit has ended stays
--               until the next sweep, with limit null
-- errors  INVALID_ARGUMENT
-- keys    {ns}:throttles and those of throttle_get
operation('throttle_list', 'read', function(argv)
  local args = check.object(argv[3], 'args', page.arguments({}))
  local offset, limit = page.parse(args)
  local list = {}
  for index, id in ipairs(page.members(keys.throttles(), offset, limit)) do
    list[index] = throttle.view(id)
  end
  return { map = { total = call('ZCARD', keys.throttles()), throttles = list } }
end)
