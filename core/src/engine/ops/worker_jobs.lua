-- worker_jobs: the jobs that a worker has in hand, whose lease ends first before others, by pages.
--
-- args    JSON  worker   text
--               offset   integer  0 or more (0)
--               limit    integer  1..250 (25)
-- reply   map   total stalled  integers, of all; jids  list, the stalled ones first
-- errors  INVALID_ARGUMENT
-- keys    {ns}:worker-jobs:<name> {ns}:worker-leases:<name> {ns}:lease:<token>:<q>
operation('worker_jobs', 'read', function(argv)
  local args = check.object(argv[3], 'args', page.arguments({ worker = true }))
  local worker = check.name(args.worker, 'worker')
  local offset, limit = page.parse(args)
  local alone, leases = keys.worker_jobs(worker), keys.worker_leases(worker)
  return {
    map = {
      total = shared.held_by(worker, '+inf'), stalled = shared.held_by(worker, now_text),
      jids = shared.page(alone, leases, offset, limit),
    },
  }
end)
