-- failure_jobs: the jobs of a failure group, the latest first, by pages.
--
-- args    JSON  group    text
--               offset   integer  0 or more (0)
--               limit    integer  1..250 (25)
-- reply   map   total  integer; jids  list
-- errors  INVALID_ARGUMENT
-- keys    {ns}:failed:<group>
operation('failure_jobs', 'read', function(argv)
  local args = check.object(argv[3], 'args', page.arguments({ group = true }))
  return page.jids(keys.failed(check.name(args.group, 'group')), args, true)
end)
