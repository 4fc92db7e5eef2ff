-- What became of a running job: one table of verbs for job_complete, job_fail, job_retry, job_snooze, job_release and
-- worker_turn. Each verb parses its two arguments (before any write) and applies them.
local verbs = {}

local KNOWN_PULSE_MS, FIRST_SNOOZE_MS, LONGEST_SNOOZE_MS = 10000, 1000, 60000

local DETAIL = { group = true, message = true, trace = true }
local COMPLETION = { queue = true, data = true, delay_ms = true, dependencies = true }

local function parse_detail(detail)
  local parts = check.object(detail, 'detail', DETAIL)
  return {
    group = parts.group and check.name(parts.group, 'group'),
    message = check.text(parts.message or '', 'message', MAX_TEXT),
    trace = check.text(parts.trace or '', 'trace', MAX_TEXT),
  }
end

local function end_run(job, run_ms)
  job[RUN_MS] = run_ms
  stats.sample(job[QUEUE], run_ms, record.ready_at(job))
end

local function store_result(job, result)
  if result ~= '' then
    state.set_text(keys.result(job[JID]), result)
    record.mark(job, HAS_RESULT)
  elseif record.has(job, HAS_RESULT) then
    state.later(function()
      call('DEL', keys.result(job[JID]))
    end)
    record.unmark(job, HAS_RESULT)
  end
end

local function next_stage(job, queue)
  local route = record.rare(job, ROUTE)
  if queue or not route then
    return queue
  end
  queue = table.remove(route, 1)
  record.set_rare(job, ROUTE, #route > 0 and route or nil)
  return queue
end

local complete = {}

-- Of the call in progress: how many dependencies its items named so far; how many dependents it may still free; what it has
-- yet to write, jid -> the jids it will wait for; how far it has looked for circles.
local named, free_budget, links, search

-- Where several items of a call name dependencies, they name few in all: each costs as much as an item.
local MOST_NAMED = 64

local function parse_dependencies(value)
  local on = dependency.parse(value, 'dependencies')
  local before = named
  named = named + (on and #on or 0)
  if before > 0 and named > MOST_NAMED then
    fail('INVALID_ARGUMENT', 'jobs have more than ' .. MOST_NAMED .. ' dependencies in all')
  end
  return on
end

function complete.parse(result, options)
  local parsed = check.object(options, 'options', COMPLETION)
  return {
    result = result,
    data = parsed.data,
    queue = parsed.queue and check.name(parsed.queue, 'queue'),
    delay_ms = check.span(parsed.delay_ms or 0, 'delay_ms'),
    dependencies = parse_dependencies(parsed.dependencies),
  }
end

-- What the next stage has to wait for, nil for nothing; and why it cannot.
local function blockers(job, parsed)
  if not (parsed.queue or record.rare(job, ROUTE)) then
    return nil
  end
  local open = dependency.split(parsed.dependencies, false)
  if #open == 0 then
    return nil
  end
  return open, dependency.cycle(job[JID], open, links, search)
end

function complete.apply(job, run_ms, parsed)
  local open, problem
  if parsed.dependencies then
    open, problem = blockers(job, parsed)
    if problem then
      return problem
    end
  end
  end_run(job, run_ms)
  store_result(job, parsed.result)
  if parsed.data then
    state.set_payload(job, parsed.data)
  end
  local queue = next_stage(job, parsed.queue)
  if not queue then
    state.complete(job)
    if record.rare(job, HAS_DEPENDENTS) then
      free_budget = free_budget - freeing.completed(job, free_budget)
    end
    return 'completed'
  end
  history.close_stage(job, 'c', run_ms)
  if open then
    dependency.mark(open)
    dependency.link(job, open)
    links[job[JID]] = open
  end
  return placement.enter(job, queue, parsed.delay_ms, open ~= nil)
end

local give_up = {}

function give_up.parse(group, detail)
  local parsed = parse_detail(detail)
  parsed.group = check.name(group, 'group')
  return parsed
end

function give_up.apply(job, run_ms, parsed)
  end_run(job, run_ms)
  stats.failure(job[QUEUE])
  failure.write(job, parsed.group, parsed.message, parsed.trace)
  return 'failed'
end

local retry = {}

function retry.parse(delay_ms, detail)
  local parsed = parse_detail(detail)
  parsed.delay_ms = check.span_text(delay_ms == '' and 0 or delay_ms, 'delay_ms')
  return parsed
end

function retry.apply(job, run_ms, parsed)
  local group = parsed.group or ('failed-retries-' .. job[QUEUE])
  local remaining = record.remaining(job)
  if remaining == 0 then
    parsed.group = group
    return give_up.apply(job, run_ms, parsed)
  end
  end_run(job, run_ms)
  stats.retry(job[QUEUE])
  record.set_rare(job, REMAINING, remaining - 1)
  if parsed.message ~= '' or parsed.trace ~= '' or parsed.group then
    failure.note(job, group, parsed.message, parsed.trace)
  end
  history.close_run(job, 't', parsed.group)
  return state.wait_after(job, parsed.delay_ms)
end

local snooze = {}

function snooze.parse(delay_ms)
  return { delay_ms = check.span_text(delay_ms, 'delay_ms') }
end

function snooze.apply(job, _, parsed)
  history.close_run(job, 's')
  return state.wait_after(job, parsed.delay_ms)
end

-- Given back unstarted: its old place, no history, no wait sample, no retry spent.
local release = {}

function release.parse()
  return {}
end

function release.apply(job)
  record.unmark(job, RUN_IN_HISTORY)
  job[RESERVED_AT], job[WORKER] = 0, ''
  state.wait(job, record.ready_at(job), true)
  return 'waiting'
end

-- The worker has no handler for this kind: again later while another live worker knows it.
local unknown_kind = { parse = release.parse }

function unknown_kind.apply(job, run_ms)
  local pulse = tonumber(call('ZSCORE', keys.kinds(), job[KIND]) or '0')
  if pulse < now - KNOWN_PULSE_MS then
    local message = 'no live worker knows the kind ' .. job[KIND]
    return give_up.apply(job, run_ms, { group = 'unknown-kind:' .. job[KIND], message = message, trace = '' })
  end
  local snoozes = min((record.rare(job, SNOOZES) or 0) + 1, 16)
  record.set_rare(job, SNOOZES, snoozes)
  return snooze.apply(job, run_ms, { delay_ms = min(FIRST_SNOOZE_MS * 2 ^ (snoozes - 1), LONGEST_SNOOZE_MS) })
end

verbs.rules = { complete = complete, fail = give_up, retry = retry, snooze = snooze, release = release, unknown_kind = unknown_kind }

-- Before the items of a call are parsed.
function verbs.begin()
  named = 0
end

-- Before they are applied.
function verbs.start()
  free_budget, links, search = freeing.at_once, {}, { steps = 0 }
end

return verbs
