-- check: whether everything agrees with the jobs' records, by bounded steps. Call it with the cursor it gave until it is ''.
--
-- args    JSON  cursor   text     what the step before answered (from the beginning)
--               limit    integer  1..250 keys or members a step (200)
--               repair   boolean  true: mend what can be mended without guessing (false)
-- reply   map   cursor  text, '' at the end; looked  integer, keys and members in this step;
--               violations  list of maps: rule, jid (where it is about one), detail, repaired (1 or 0)
--               rules   missing score  the job is not, or not rightly, where its record says
--                       stray          it stands where its record does not say
--                       count          a count of a failure group or tag, or of jobs that share leases (where a queue has at most
--                                      1,000 of these), is wrong
--                       due            its queue is not looked at when something in it is due
--                       blocked        it is blocked and waits for nothing (not mended), or it is not blocked and waits
--                       dependents     it waits for one that does not know it, or need not be waited for
--                       throttle       a throttle is not listed, or is not looked at when it should be
--                       queue          its queue is not known, so that workers on patterns do not find it
--                       use            there are settings, pauses, throttles or jobs to be freed that calls do not look for
--                       ready          a queue has jobs to take, or a wake token, and workers of many queues do not ask it
--                       lost           its data, result, failure or history is gone (not mended: it is nowhere else; data
--                                      can be given anew by job_requeue)
--                       orphan         a data, result, failure or history belongs to no job, a shared lease is of no job, a list of
--                                      dependents of no job that frees them (deleted)
--                       state type     a record cannot be read; a key is of the wrong type (neither is mended)
-- errors  INVALID_ARGUMENT
-- keys    all of the namespace
operation('check', 'write', function(argv)
  local args = check.object(argv[3], 'args', { cursor = true, limit = true, repair = 'boolean' })
  local limit = check.integer(args.limit or 200, 'limit', 1, MAX_ITEMS)
  local cursor = args.cursor
  if cursor ~= nil and type(cursor) ~= 'string' then
    fail('INVALID_ARGUMENT', 'cursor must be text')
  end
  state.begin()
  local rest, looked, violations = verify.step(cursor ~= '' and cursor or nil, limit, args.repair)
  return { map = { cursor = rest, looked = looked, violations = violations } }
end)
