-- worker_turn: a worker's outcomes and its next reservation in one call; first the outcomes.
--
-- args    worker   text     who holds the jobs and takes new ones
--         limit    integer  0..250; 0 where there are more than 50 outcomes
--         share    0 | 1    as in queue_reserve
--         count    integer  number of queues, 1 to 64
--         queue …  text
--         then groups of
--                    verb     complete | fail | retry | snooze | release | unknown_kind
--                    token    text
--                    b        text     the verb's own, as in its operation: options | detail | detail | '' | '' | ''
--                    run_ms   integer  or '*': each its own
--                    a        text     the verb's own: result | group | delay_ms | delay_ms | '' | ''; or '*'
--                    count    integer  of the jobs that have all this in common (at most 125 in all, 50 where limit is not 0); then of each
--                      jid    text
--                      run_ms integer  where each has its own
--                      a      text     where each has its own
--                   Where several have dependencies, they have at most 64 in all.
-- reply   list of what the operations answer to the jobs, one text each, then the reply of queue_reserve
--         Where nothing can be taken, as a key is of another type, the outcomes are answered all the same.
--         unknown_kind: snoozed 1 s doubling to 60 s while a live worker knows the kind, else failed in unknown-kind:<kind>
-- errors  INVALID_ARGUMENT, WRONG_STATE (the worker was declared lost)
-- keys    those of queue_reserve, job_complete, job_fail and job_retry, and {ns}:kinds
local HEAD, MOST_BESIDE = 6, 50

operation('worker_turn', 'write', function(argv)
  local count = check.numeral(argv[6] or '', 'count', 1, 64)
  local request = reserve_request.parse(argv, 3, 7, 6 + count)
  local items = outcome.begin()
  local most = request.limit > 0 and MOST_BESIDE or outcome.most
  local _, begins = check.groups(argv, 7 + count, HEAD, outcome.width_of, most)
  for index = 1, #begins - 1 do
    local at = begins[index]
    outcome.add_group(items, argv[at], argv[at + 1], argv[at + 2], argv, at + HEAD, begins[index + 1] - 1)
  end
  reserve.refuse_lost(request.worker)
  state.begin()
  local outcomes = outcome.apply(items)
  local reply, memo = reserve.take_beside(items.count, request)
  return { outcomes, reply }, { outcomes, memo }
end, function(memo)
  return { memo[1], reserve.replay(memo[2]) }
end, true)
