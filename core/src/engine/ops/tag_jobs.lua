-- tag_jobs: the jobs with a tag, those put first before others, by pages.
--
-- args    JSON  tag      text
--               offset   integer  0 or more (0)
--               limit    integer  1..250 (25)
-- reply   map   total  integer; jids  list
-- errors  INVALID_ARGUMENT
-- keys    {ns}:tag:<t>
operation('tag_jobs', 'read', function(argv)
  local args = check.object(argv[3], 'args', page.arguments({ tag = true }))
  return page.jids(keys.tag(check.name(args.tag, 'tag')), args)
end)
