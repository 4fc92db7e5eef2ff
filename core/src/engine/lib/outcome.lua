-- The outcomes of a call, for job_complete, job_fail, job_retry, job_snooze, job_release and worker_turn: how they are read, and
-- applied by the rules of their verbs (lib/verbs.lua). At most 125 a call: to retry or fail a job costs two or three times what
-- a put does.
local outcome = { most = 125, release = verbs.rules.release.apply }

-- How many arguments a group of job_complete has before its jobs; what says that each of them has its own.
local HEAD, OWN = 5, '*'

-- The items of a call that are read: their jids; of completions without options, as most are, their groups, and the rest is read
-- where it stands; of others what was read; whether some have results or options; the jids of those completions.
function outcome.begin()
  verbs.begin()
  return { count = 0, jids = {}, groups = {}, others = {}, texts = false, bare = {} }
end

local function run_of(value)
  return value == '' and 0 or check.span_text(value, 'run_ms')
end

-- Checks an item and adds it: its token, run time, rule and what the rule reads in its own two arguments.
function outcome.add(items, verb, jid, token, run_ms, first, second)
  local rule, index = verbs.rules[verb], items.count + 1
  if not rule then
    fail('INVALID_ARGUMENT', 'verb ' .. tostring(verb) .. ' is not an outcome')
  end
  items.count, items.jids[index], items.texts = index, jid, true
  items.others[index] = { token = check.token(token), run_ms = run_of(run_ms), rule = rule, parsed = rule.parse(first, second) }
end

-- Of a group of items, the first of which is at argument `first`: how many arguments each has, its jid and what is its own; how
-- far after the jid its run time and the verb's first argument stand, nil where all have that in common, which is said before
-- their number; and both, where they are in common.
local function width_of(argv, first)
  local run, value = argv[first - 3], argv[first - 2]
  local run_at = run == OWN and 1 or nil
  local value_at = value == OWN and (run_at or 0) + 1 or nil
  return (value_at or run_at or 0) + 1, run_at, value_at, run, value
end
outcome.width_of = width_of

local function once_more(group)
  local other = {}
  for name, value in pairs(group) do
    other[name] = value
  end
  other.again = true
  return other
end

-- The same of completions without options, from argument `first` to `last`.
local function add_bare(items, token, argv, first, last)
  local jids, groups, known, index = items.jids, items.groups, items.bare, items.count
  local width, run_at, result_at, run, result = width_of(argv, first)
  local checked -- the last run time of those that have their own
  local group = {
    token = check.token(token), argv = argv, width = width, base = first - width * (index + 1),
    run_at = run_at, result_at = result_at, run = run, result = result,
  }
  if not run_at then
    run_of(run)
  end
  if not result_at and result ~= '' then
    items.texts = true
  end
  for at = first, last, width do
    local jid = argv[at]
    index = index + 1
    jids[index] = jid
    groups[index] = group
    if known[jid] then -- it passes once
      groups[index] = once_more(group)
    end
    known[jid] = true
    if run_at and argv[at + 1] ~= checked then
      checked = argv[at + 1]
      run_of(checked)
    end
    if result_at and argv[at + result_at] ~= '' then
      items.texts = true
    end
  end
  items.count = index
end

-- Run time and result of an item of such a group.
local function bare(group, index)
  local argv, at = group.argv, group.base + group.width * index
  return run_of(group.run_at and argv[at + 1] or group.run), group.result_at and argv[at + group.result_at] or group.result
end

-- Adds the items of a group, from argument `first` to `last`, that have verb, token and the verb's second argument in common.
function outcome.add_group(items, verb, token, second, argv, first, last)
  if verb == 'complete' and second == '' then
    return add_bare(items, token, argv, first, last)
  end
  local width, run_at, value_at, run, value = width_of(argv, first)
  for at = first, last, width do
    local own_value = value_at and argv[at + value_at] or value
    outcome.add(items, verb, argv[at], token, run_at and argv[at + 1] or run, own_value, second)
  end
end

-- The completions from item `first` to `last`, if there are any, are of jobs that `worker` has of `queue`, and that share the
-- lease called `shares`, if there is one.
local function pass_completed(items, first, last, names, records, queue, worker, shares)
  if queue then
    local from = shares and keys.lease(shares) or keys.running(queue)
    local way = state.way(from, keys.completed(), worker, false, COMPLETED, queue, now)
    state.pass(way, first, last, items.jids, names, records, now_text)
  end
end

local function sample_alike(queue, run_ms, put_at, alike)
  if alike > 0 then
    stats.sample(queue, run_ms, put_at, alike)
  end
end

-- Completes the plain jobs of a group of completions without options, from its item `first` on, for good and without having
-- them in hand, up to the first that is another or not held; how many. What neighbours have in common is read and made once.
-- The new records take the place of those that are stored.
local function complete_plain(items, first, names, stored)
  local jids, groups, group, in_hand = items.jids, items.groups, items.groups[first], state.in_hand()
  local argv, token, at, index = group.argv, group.token, group.base + group.width * first, first
  local width, run_at, result_at, run, result = group.width, group.run_at, group.result_at, group.run, group.result
  local queue, worker, shares, unpassed -- and the first item that is not passed yet
  local head, own_at, reserved_at -- of the record of a run
  local end_head, run_text, run_ms, has_result -- of the one of its end
  local put_at, since, alike = nil, nil, 0
  while groups[index] == group do
    local old = stored[index]
    if not old or (in_hand and in_hand[jids[index]] ~= nil) then
      break
    end
    if run_at then
      run = argv[at + 1]
    end
    if result_at then
      result = argv[at + result_at]
    end
    local same = head and find(old, head, 1, true) == 1
    if not same or run ~= run_text or has_result ~= (result ~= '') then
      sample_alike(queue, run_ms, put_at, alike)
      alike, run_text, has_result = 0, run, result ~= ''
      run_ms = run_of(run_text)
      if not same then
        local of_queue, of_worker, does_share
        head, of_queue, of_worker, reserved_at, does_share = record.held_head(old, token)
        if not head then
          break
        end
        local of_lease = does_share and shared.name(token, of_queue) or nil
        if of_queue ~= queue or of_worker ~= worker or of_lease ~= shares then
          pass_completed(items, unpassed, index - 1, names, stored, queue, worker, shares)
          queue, worker, shares, unpassed = of_queue, of_worker, of_lease, index
        end
        own_at = #head + 1
      end
      end_head = record.end_head(head, token, reserved_at, run_ms, worker, queue, has_result)
    end
    if not since or find(old, since, own_at, true) ~= own_at then
      sample_alike(queue, run_ms, put_at, alike)
      alike = 0
      since, put_at = record.put_at(old, own_at)
    end
    stored[index] = end_head .. sub(old, own_at)
    if has_result then
      state.set_text(keys.result(jids[index]), result)
    end
    alike, index, at = alike + 1, index + 1, at + width
  end
  sample_alike(queue, run_ms, put_at, alike)
  pass_completed(items, unpassed, index - 1, names, stored, queue, worker, shares)
  return index - first
end

-- Completes a plain job that is the only item, in no unit; false when it is another or not held.
local function complete_alone(jid, token, run_ms, result)
  local name = keys.job(jid)
  local stored = call('MGET', name)[1]
  local head, queue, worker, reserved_at, shares
  if stored then
    head, queue, worker, reserved_at, shares = record.held_head(stored, token)
  end
  if not head then
    return false
  end
  local own_at, new = #head + 1, record.end_head(head, token, reserved_at, run_ms, worker, queue, result ~= '')
  local _, put_at = record.put_at(stored, own_at)
  local lease_name = shares and shared.name(token, queue) or nil
  state.complete_alone(queue, jid, worker, lease_name, run_ms, put_at, name, new .. sub(stored, own_at), result)
  return true
end

-- What a member of an item is called: in a batch, with its place.
local function called(name, index, count)
  return count > 1 and 'jobs[' .. (index - 1) .. '].' .. name or name
end

-- Refuses results and data that are too large, and says which item's: the others may come again without it.
local function check_sizes(items)
  local most, count = config.get('max-data'), items.count
  for index = 1, count do
    local group, parsed = items.groups[index], items.others[index] and items.others[index].parsed
    local result = group and select(2, bare(group, index)) or parsed and parsed.result or ''
    if #result > most then
      local name = called('result', index, count)
      fail('INVALID_ARGUMENT', name .. ' has ' .. #result .. ' bytes, max-data is ' .. most)
    elseif parsed and parsed.data then
      put_options.check_data(parsed.data, most, called('data', index, count))
    end
  end
end

-- What became of an item that is taken in hand.
local function apply_one(items, index, name, stored)
  local jid, group, other = items.jids[index], items.groups[index], items.others[index]
  state.hold(jid, name, stored)
  local job, lost = lease.held(jid, (group or other).token)
  if not job then
    return lost
  elseif group then
    local run_ms, result = bare(group, index)
    return verbs.rules.complete.apply(job, run_ms, { result = result, delay_ms = 0 })
  end
  return other.rule.apply(job, other.run_ms, other.parsed)
end

-- Completes the only item without a unit, if it may go so. Whether it did.
local function apply_alone(items)
  local group = items.groups[1]
  if not (group and state.may_go_alone()) then
    return false
  end
  local run_ms, result = bare(group, 1)
  return complete_alone(items.jids[1], group.token, run_ms, result)
end

-- Applies the items in order: the answers.
function outcome.apply(items)
  local jids, groups, count = items.jids, items.groups, items.count
  if items.texts then
    check_sizes(items)
  end
  if count == 1 and apply_alone(items) then
    sweep.trim_beside(1)
    return 'completed'
  end
  local others, completed, index, may_pass = {}, 0, 1, not meta.events -- answers that are not 'completed'
  verbs.start()
  local names, stored = state.read(jids)
  while index <= count do
    local group = groups[index]
    local passed = may_pass and group and not group.again and complete_plain(items, index, names, stored) or 0
    index, completed = index + passed, completed + passed
    if passed == 0 then
      local answer = apply_one(items, index, names[index], stored[index])
      if answer == 'completed' then
        completed = completed + 1
      else
        others[index] = answer
      end
      index = index + 1
    end
  end
  state.commit()
  if completed > 0 then
    sweep.trim_beside(completed)
  end
  if completed == count and count > 0 then
    return 'completed'
  end
  for at = 1, count do
    others[at] = others[at] or 'completed'
  end
  return answers(others)
end

-- job_complete.
function outcome.complete(argv)
  local items = outcome.begin()
  local _, begins = check.groups(argv, 3, HEAD, width_of, outcome.most)
  for index = 1, #begins - 1 do
    local at = begins[index]
    outcome.add_group(items, 'complete', argv[at], argv[at + 1], argv, at + HEAD, begins[index + 1] - 1)
  end
  state.begin()
  return outcome.apply(items)
end

-- An operation on items of another verb: `width` arguments each, the verb's own after jid, token, run_ms.
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
