-- What became of a running job: one table of verbs for job_complete, job_fail, job_retry, job_snooze,
-- job_release and worker_turn. Each verb parses its two arguments (before any write) and applies them.
-- At most 125 items a call: to retry or fail a job costs two or three times what a put does.
local outcome = { most = 125 }

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
local BARE = { result = '', delay_ms = 0, bare = true }

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
  if options == '' then
    return result == '' and BARE or { result = result, delay_ms = 0, bare = true }
  end
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

outcome.release = release.apply

local verbs = { complete = complete, fail = give_up, retry = retry, snooze = snooze, release = release, unknown_kind = unknown_kind }

-- The items of a call that are read: lists of one length, as that costs less than a table for each.
function outcome.begin()
  named = 0
  return { jids = {}, tokens = {}, runs = {}, rules = {}, parsed = {} }
end

-- Checks an item and adds it: its token, run time, rule and what the rule reads in its own two arguments.
function outcome.add(items, verb, jid, token, run_ms, first, second)
  local rule, index = verbs[verb], #items.jids + 1
  if not rule then
    fail('INVALID_ARGUMENT', 'verb ' .. tostring(verb) .. ' is not an outcome')
  end
  items.jids[index], items.rules[index], items.tokens[index] = jid, rule, check.token(token)
  items.runs[index] = run_ms == '' and 0 or check.span_text(run_ms, 'run_ms')
  items.parsed[index] = rule.parse(first, second)
end

local function sample_alike(queue, run_ms, put_at, alike)
  if alike > 0 then
    stats.sample(queue, run_ms, put_at, alike)
  end
end

-- Completes the plain jobs among the items from `first` on for good, without having them in hand, up to the first that is
-- another or not held; how many. What neighbours have in common is read and made once.
local function complete_plain(items, first, names, stored)
  local jids, tokens, runs, all_parsed, in_hand = items.jids, items.tokens, items.runs, items.parsed, state.in_hand()
  local head, token, queue, worker, reserved_at, about_at, run_ms, has_result, end_head
  local passing, entries, texts, passed, written
  local put_at, alike, done = nil, 0, 0
  for index = first, #jids do
    local jid, old, parsed = jids[index], stored[index], all_parsed[index]
    if not (old and parsed.bare) or in_hand[jid] ~= nil then
      break
    end
    local result = parsed.result
    local same = tokens[index] == token and find(old, head, 1, true) == 1
    if not same or runs[index] ~= run_ms or has_result ~= (result ~= '') then
      sample_alike(queue, run_ms, put_at, alike)
      alike, token, run_ms, has_result = 0, tokens[index], runs[index], result ~= ''
      if not same then
        local of_queue, of_worker
        head, of_queue, of_worker, reserved_at, about_at = record.held_head(old, token)
        if not head then
          break
        elseif of_queue ~= queue or of_worker ~= worker then
          queue, worker = of_queue, of_worker
          local way = state.way(keys.running(queue), keys.completed(), worker, false, COMPLETED, queue, now)
          passing, entries, texts = state.passing(way)
          passed, written = #passing, #texts
        end
      end
      end_head = record.end_head(head, token, reserved_at, run_ms, worker, has_result)
    end
    local at = from_bytes('<d', old, #head + 9)
    if at ~= put_at then
      sample_alike(queue, run_ms, put_at, alike)
      put_at, alike = at, 0
    end
    local new = end_head .. sub(old, about_at)
    alike, done, passed = alike + 1, done + 1, passed + 1
    passing[passed] = jid
    entries[2 * passed - 1] = now_text
    entries[2 * passed] = jid
    texts[written + 1] = names[index]
    texts[written + 2] = new
    written = written + 2
    in_hand[jid] = new
    if has_result then
      texts[written + 1] = keys.result(jid)
      texts[written + 2] = result
      written = written + 2
    end
  end
  sample_alike(queue, run_ms, put_at, alike)
  return done
end

-- Completes a plain job that is the only item, in no unit; nil when it is another or not held.
local function complete_alone(jid, token, run_ms, result)
  local name = keys.job(jid)
  local stored = call('MGET', name)[1]
  local head, queue, worker, reserved_at, about_at
  if stored then
    head, queue, worker, reserved_at, about_at = record.held_head(stored, token)
  end
  if head then
    local new = record.end_head(head, token, reserved_at, run_ms, worker, result ~= '') .. sub(stored, about_at)
    state.complete_alone(queue, jid, worker, run_ms, record.put_at(stored, head), name, new, result)
    return { 'completed' }
  end
end

-- What a member of an item is called: in a batch, with its place.
local function called(name, index, count)
  return count > 1 and 'jobs[' .. (index - 1) .. '].' .. name or name
end

-- Refuses results and data that are too large, and says which item's: the others may come again without it.
local function check_sizes(all_parsed)
  local most
  for index = 1, #all_parsed do
    local parsed = all_parsed[index]
    local result, data = parsed ~= BARE and parsed.result or '', parsed.data
    if result ~= '' or data then
      most = most or config.get('max-data')
      if #result > most then
        local name = called('result', index, #all_parsed)
        fail('INVALID_ARGUMENT', name .. ' has ' .. #result .. ' bytes, max-data is ' .. most)
      elseif data then
        put_options.check_data(data, most, called('data', index, #all_parsed))
      end
    end
  end
end

-- As many as were completed at least, so that the history keeps its length.
local function trim(completed)
  sweep.trim(min(2 * completed, max(MAX_SWEEP, completed)), true)
end

-- Applies the items in order; the reply has one text for each.
function outcome.apply(items)
  local first = items.parsed[1]
  if #items.jids == 1 and first.bare and state.may_go_alone() then
    check_sizes(items.parsed)
    local reply = complete_alone(items.jids[1], items.tokens[1], items.runs[1], first.result)
    if reply then
      trim(1)
      return reply
    end
  end
  local jids, tokens, runs, all_parsed = items.jids, items.tokens, items.runs, items.parsed
  local reply, completed, count, index, may_pass = {}, 0, #jids, 1, not meta.events
  check_sizes(all_parsed)
  free_budget, links, search = freeing.at_once, {}, { steps = 0 }
  local names, stored = state.read(jids)
  while index <= count do
    local passed = may_pass and complete_plain(items, index, names, stored) or 0
    for at = index, index + passed - 1 do
      reply[at] = 'completed'
    end
    index, completed = index + passed, completed + passed
    if index <= count then
      local jid = jids[index]
      state.hold(jid, names[index], stored[index])
      local job, lost = lease.held(jid, tokens[index])
      local answer = job and items.rules[index].apply(job, runs[index], all_parsed[index]) or lost
      if answer == 'completed' then
        completed = completed + 1
      end
      reply[index] = answer
      index = index + 1
    end
  end
  state.commit()
  if completed > 0 then
    trim(completed)
  end
  return reply
end

-- An operation on items of one verb: `width` arguments each, the verb's own after jid, token, run_ms.
function outcome.operation(verb, width)
  return function(argv)
    local count = check.items(argv, 3, width, outcome.most)
    local items = outcome.begin()
    for at = 3, 3 + (count - 1) * width, width do
      local jid, token, run_ms, first, second = unpack(argv, at, at + width - 1)
      outcome.add(items, verb, jid, token, run_ms or '', first or '', second or '')
    end
    state.begin()
    return outcome.apply(items)
  end
end

return outcome
