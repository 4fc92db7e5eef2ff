-- job_explain: why a job is not running, or what has become of it.
--
-- args    JSON  jid      text
-- reply   map   jid state queue; reasons  list of maps, each with why:
--               paused         the queue is paused
--               throttled      throttle (id or queue:<name>) limit held holders (the first 10 jids): it is full
--               dependencies   count jids (the first 10): it waits for them; failed (those of them that are failed)
--               scheduled      due_in_ms
--               running        worker lease_left_ms (below 0: stalled)
--               failed         group message (unless its text is lost)
--               completed      ago_ms
--               no-worker      no live worker serves the queue
--               unknown-kind   workers serve the queue, but none of them knows the kind
--                              (neither is said while more than 500 workers live, or with more than 128 KiB of statuses)
--               position  integer, how many of its queue come before it, null unless it waits;
--               estimated_wait_ms  integer, null when there are no figures: half of today's runs take no longer than the
--               run time used, times the runs before it, over the jobs running now
--               nil when there is no such job
-- errors  INVALID_ARGUMENT
-- keys    {ns}:job:<jid> {ns}:paused {ns}:throttle:<id> {ns}:held:<id> {ns}:dependencies:<jid> {ns}:waiting:<q> {ns}:workers
--         {ns}:worker:<name> {ns}:stats:<day>:<q> {ns}:running:<q> {ns}:lease:<token>:<q> {ns}:leases:<q> {ns}:leased:<q>
operation('job_explain', 'read', function(argv)
  local args = check.object(argv[3], 'args', { jid = true })
  local job = record.load(check.name(args.jid, 'jid'))
  return job and explain.job(job) or nil
end)
