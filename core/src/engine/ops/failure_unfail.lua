-- failure_unfail: the jobs of a failure group that failed first wait again, at the end of their line, with all their retries.
--
-- args    JSON  group    text
--               queue    text     where to (the queue each failed in)
--               limit    integer  1..100 jobs (25)
-- reply   integer  how many wait again; fewer than `limit` when the group is empty now
-- errors  INVALID_ARGUMENT
-- keys    {ns}:failed:<group> {ns}:failures {ns}:job:<jid> {ns}:history:<jid> {ns}:waiting:<q> {ns}:queues {ns}:wake:<q>
--         {ns}:stats:<day>:<q>
operation('failure_unfail', 'write', function(argv)
  local args = check.object(argv[3], 'args', { group = true, queue = true, limit = true })
  local key = keys.failed(check.name(args.group, 'group'))
  local queue = args.queue and check.name(args.queue, 'queue')
  local limit = check.integer(args.limit or 25, 'limit', 1, MAX_SWEEP)
  state.begin()
  local jids = call('ZRANGE', key, '0', text(limit - 1))
  local jobs = state.jobs_of(key, jids, jids)
  for _, job in ipairs(jobs) do
    placement.again(job, queue or job[QUEUE], 0)
  end
  state.commit()
  return #jobs
end)
