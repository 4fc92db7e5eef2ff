-- worker_turn: a worker's outcomes and its next reservation in one call; first the outcomes.
--
-- args    worker   text     who holds the jobs and takes new ones
--         limit    integer  0..250
--         share    0 | 1    as in queue_reserve
--         count    integer  number of queues, 1 to 64
--         queue …  text
--         then items (at most 50) of  verb    complete | fail | retry | snooze | release | unknown_kind
--                        jid     text
--                        token   text
--                        run_ms  integer
--                        a b     the verb's own, as in its operation: result options | group detail | delay_ms detail | delay_ms '' | '' ''
--                   Where several have dependencies, they have at most 64 in all.
-- reply   list of one text per item as its operation answers, then the reply of queue_reserve: of at most 150 jobs after
--         50 outcomes, five more for each outcome less
--         Where nothing can be taken, as a key is of another type, the outcomes are answered all the same.
--         unknown_kind: snoozed 1 s doubling to 60 s while a live worker knows the kind, else failed in unknown-kind:<kind>
-- errors  INVALID_ARGUMENT, WRONG_STATE (the worker was declared lost)
-- keys    those of queue_reserve, job_complete, job_fail and job_retry, and {ns}:kinds
local WIDTH, MOST = 6, 50

operation('worker_turn', 'write', function(argv)
  local count = check.numeral(argv[6] or '', 'count', 1, 64)
  local request = reserve.parse(argv, 3, 7, 6 + count)
  local first = 7 + count
  local items = outcome.begin()
  for at = first, first + (check.items(argv, first, WIDTH, MOST) - 1) * WIDTH, WIDTH do
    outcome.add(items, unpack(argv, at, at + WIDTH - 1))
  end
  reserve.refuse_lost(request.worker)
  state.begin()
  local outcomes = outcome.apply(items)
  local reply, memo = reserve.take_beside(outcomes, request)
  return { outcomes, reply }, { outcomes, memo }
end, function(memo)
  return { memo[1], reserve.replay(memo[2]) }
end, true)
