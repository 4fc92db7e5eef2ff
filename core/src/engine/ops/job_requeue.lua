-- job_requeue: places a job anew in a queue, from whatever state: at the end of the line, with all its retries. Who runs
-- it loses it. What is not given stays as it is.
--
-- args    JSON  jid           text
--               queue         text     (the one it is in)
--               data          text     JSON, its new data
--               delay_ms      integer  (0)
--               priority retries tags throttles route headers timeout_ms backoff_ms  as in queue_put
--               dependencies  list of at most 256 jids to wait for; replaces those it has
--               missing       satisfied | reject, as in queue_put
-- reply   text    waiting | scheduled | blocked
-- errors  INVALID_ARGUMENT, JOB_NOT_FOUND, UNKNOWN_DEPENDENCY, CYCLE, TOO_DEEP
-- keys    those of queue_put
local KNOWN = put_options.known({ jid = true, queue = true, data = true, delay_ms = true, dependencies = true, missing = true })

-- The dependencies still to wait for: those given, or those it has.
local function blockers(job, given, reject)
  if not given then
    local present = record.rare(job, HAS_DEPENDENCIES) and call('ZRANGE', keys.dependencies(job[JID]), '0', '-1') or {}
    return present
  end
  local open = dependency.split(dependency.parse(given, 'dependencies') or {}, reject)
  dependency.refuse_cycle(job[JID], open)
  return open
end

-- Those of `options` that were given.
local function apply_options(job, args, options)
  local fields = {
    retries = RETRIES, tags = TAGS, throttles = THROTTLES, route = ROUTE, headers = HEADERS, timeout_ms = TIMEOUT_MS,
    backoff_ms = BACKOFF_MS,
  }
  for name, place in pairs(fields) do
    if args[name] ~= nil then
      state.set_rare(job, place, options[name])
    end
  end
  if args.priority ~= nil then
    state.set_priority(job, options.priority)
  end
end

operation('job_requeue', 'grow', function(argv)
  local args = check.object(argv[3], 'args', KNOWN)
  local jid = check.name(args.jid, 'jid')
  local queue = args.queue ~= nil and check.name(args.queue, 'queue')
  local delay_ms = check.span(args.delay_ms or 0, 'delay_ms')
  local data = args.data ~= nil and put_options.check_data(args.data, config.get('max-data'), 'data')
  local reject = dependency.parse_missing(args.missing)
  local options = put_options.parse(args)
  state.begin()
  local job = state.existing(jid)
  local open = blockers(job, args.dependencies, reject)
  apply_options(job, args, options)
  if data then
    state.set_payload(job, data)
  end
  if args.dependencies then
    dependency.leave_all({ job })
  end
  if args.dependencies and #open > 0 then
    dependency.mark(open)
    dependency.link(job, open)
  end
  local answer = placement.again(job, queue or job[QUEUE], delay_ms, #open > 0)
  state.commit()
  return answer
end)
