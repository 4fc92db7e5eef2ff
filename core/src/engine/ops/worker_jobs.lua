-- worker_jobs: the jobs that a worker has in hand, whose lease ends first before others, by pages.
--
-- args    JSON  worker   text
--               offset   integer  0 or more (0)
--               limit    integer  1..250 (25)
-- reply   map   total stalled  integers, of all; jids  list, the stalled ones first
-- errors  INVALID_ARGUMENT
-- keys    {ns}:worker-jobs:<name>
operation('worker_jobs', 'read', function(argv)
  local args = check.object(argv[3], 'args', page.arguments({ worker = true }))
  local key = keys.worker_jobs(check.name(args.worker, 'worker'))
  local reply = page.jids(key, args)
  reply.map.stalled = call('ZCOUNT', key, '-inf', now_text)
  return reply
end)
