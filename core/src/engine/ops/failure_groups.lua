-- failure_groups: the groups of failed jobs, the largest first, by pages.
--
-- args    JSON  offset   integer  0 or more (0)
--               limit    integer  1..250 (25)
-- reply   map   total  integer, of groups; groups  list of [group, jobs in it]
-- errors  INVALID_ARGUMENT
-- keys    {ns}:failures
operation('failure_groups', 'read', function(argv)
  local args = check.object(argv[3], 'args', page.arguments({}))
  local offset, limit = page.parse(args)
  return { map = { total = call('ZCARD', keys.failures()), groups = page.scored(keys.failures(), offset, limit, true) } }
end)
