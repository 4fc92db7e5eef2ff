-- tag_list: the tags in use, the most used first, by pages.
--
-- args    JSON  offset   integer  0 or more (0)
--               limit    integer  1..250 (25)
-- reply   map   total  integer, of tags; tags  list of [tag, jobs with it]
-- errors  INVALID_ARGUMENT
-- keys    {ns}:tags
operation('tag_list', 'read', function(argv)
  local args = check.object(argv[3], 'args', page.arguments({}))
  local offset, limit = page.parse(args)
  return { map = { total = call('ZCARD', keys.tags()), tags = page.scored(keys.tags(), offset, limit, true) } }
end)
