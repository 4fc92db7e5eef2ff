-- job_tracked: the tracked jobs, in the order in which they were put, by pages.
--
-- args    JSON  offset   integer  0 or more (0)
--               limit    integer  1..250 (25)
-- reply   map   total  integer; jids  list
-- errors  INVALID_ARGUMENT
-- keys    {ns}:tracked
operation('job_tracked', 'read', function(argv)
  return page.jids(keys.tracked(), check.object(argv[3], 'args', page.arguments({})))
end)
