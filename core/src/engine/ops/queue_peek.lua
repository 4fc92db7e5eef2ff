-- queue_peek: the jobs that would be reserved next, without reserving them.
--
-- args    JSON  queue    text
--               offset   integer  0 or more (0)
--               limit    integer  1..250 (25)
-- reply   map   jobs  list in order, each as job_get answers; rest  as in job_get_many
--               Only waiting jobs: what is due but not yet promoted is not among them.
-- errors  INVALID_ARGUMENT
-- keys    {ns}:waiting:<q> and those of job_get
operation('queue_peek', 'read', function(argv)
  local args = check.object(argv[3], 'args', page.arguments({ queue = true }))
  local queue = check.name(args.queue, 'queue')
  local offset, limit = page.parse(args)
  return view.jobs(page.members(keys.waiting(queue), offset, limit))
end)
