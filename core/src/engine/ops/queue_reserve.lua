-- queue_reserve: takes up to `limit` jobs of an ordered list of queues under a lease.
--
-- args    worker   text     who holds them
--         limit    integer  0..250; 0 takes nothing and passes a wake token on
--         share    0 | 1    1: at most ceil(limit / queues with jobs) of each queue, the rest refilled in order
--                  or       <draw>:<weight>,…  a weight (1..1000) for each queue: its part of the limit among those with
--                           jobs; draw (0..999999, at random) decides on what cannot be parted
--         queue …  text     1 to 64 queues
-- reply   token text, µs until the next thing is due in these queues (-1: nothing, and always with limit 0, which does
--         not look), queues_version, then groups of
--         queue lease_ms extra count  what so many jobs have in common that follow, and then of each
--         jid about [data]
--         (about: put_at_ms in base 36, kind and place in line, with a NUL byte behind each, and the data; where nothing stands
--         behind the last NUL, the data is the next value: it is large)
--         (extra: '' for priority 0, 5 of 5 retries left and nothing else to say, else JSON: priority retries remaining tags
--         route throttles parent tracked headers timeout_ms backoff_ms)
--         First hands on jobs whose lease and grace ended and promotes what is due, at most 100.
--         Fewer than `limit` come when the queues hold fewer, after much housekeeping, when the jobs have options or many
--         are throttled, and above 8 MiB of data; while jobs are left, a wake token is.
-- errors  INVALID_ARGUMENT, WRONG_STATE (the worker was declared lost)
-- keys    {ns}:job:<jid> {ns}:data:<jid> {ns}:waiting:<q> {ns}:running:<q> {ns}:lease:<token>:<q> {ns}:leases:<q> {ns}:leased:<q>
--         {ns}:grace:<q> {ns}:scheduled:<q> {ns}:due {ns}:paused {ns}:worker-jobs:<name> {ns}:worker-leases:<name> {ns}:workers {ns}:meta
--         {ns}:wake:<q> {ns}:history:<jid> {ns}:failure:<jid> {ns}:stats:<day>:<q>
operation('queue_reserve', 'write', function(argv)
  local request = reserve_request.parse(argv, 3, 6, #argv)
  reserve.refuse_lost(request.worker)
  state.begin()
  return reserve.take(request)
end, reserve.replay, true)
