-- Taking jobs under a lease, for queue_reserve and worker_turn.
local reserve = {}

local MAX_QUEUES, MAX_REPLY, LOOK_AHEAD, SLICE, MAX_WEIGHT = 64, 8388608, 100, 100, 1000

-- What one call may do, in plain jobs taken. One that is not plain counts as three, and each two of its tags and throttles
-- as one more; one that was due counts as three; an outcome that came in the same call as five.
local MOST_WORK = 500

-- '<draw>:<weight>,…', a weight for each of `count` queues: the list of them, and the draw as a part of 1.
local function parse_weights(share, count)
  local draw, list = match(share or '', '^(%d+):([%d,]+)$')
  if not draw then
    fail('INVALID_ARGUMENT', "share must be '0', '1' or weights")
  end
  local weights = {}
  for weight in list:gmatch('[^,]+') do
    weights[#weights + 1] = check.numeral(weight, 'share', 1, MAX_WEIGHT)
  end
  if #weights ~= count then
    fail('INVALID_ARGUMENT', 'share has ' .. #weights .. ' weights for ' .. count .. ' queues')
  end
  return weights, check.numeral(draw, 'share', 0, 999999) / 1000000
end

-- The arguments from `first` on: worker, limit, share, then queues: from argument `first_queue` to `last_queue`.
function reserve.parse(argv, first, first_queue, last_queue)
  local request = { worker = check.name(argv[first], 'worker'), queues = {}, places = {}, times = {}, done = 0 }
  request.limit = check.numeral(argv[first + 1] or '', 'limit', 0, MAX_ITEMS)
  local share = argv[first + 2]
  request.share = share == '1'
  local weights
  if share ~= '0' and share ~= '1' then
    weights, request.draw = parse_weights(share, last_queue - first_queue + 1)
    request.weights = {}
  end
  local places = request.places
  for index = first_queue, last_queue do
    local queue = check.name(argv[index], 'queue')
    if not places[queue] then
      request.queues[#request.queues + 1] = queue
      places[queue] = #request.queues
      if weights then
        request.weights[queue] = weights[index - first_queue + 1]
      end
    end
  end
  if #request.queues == 0 or #request.queues > MAX_QUEUES then
    fail('INVALID_ARGUMENT', 'queues: 1 to ' .. MAX_QUEUES .. ' are allowed, not ' .. #request.queues)
  end
  return request
end

-- A worker that was declared lost gets nothing more: a late call of it would strand jobs.
function reserve.refuse_lost(worker)
  local pulse = uses.has('losses') and call('ZSCORE', keys.workers(), worker)
  if pulse and tonumber(pulse) < 0 then
    fail('WRONG_STATE', 'worker ' .. worker .. ' was declared lost; it must start again under a new name')
  end
end

local function has_extra(rare)
  return rare[RETRIES] or rare[REMAINING] or rare[TAGS] or rare[ROUTE] or rare[THROTTLES] or rare[PARENT] or rare[TRACKED]
    or rare[HEADERS]
end

-- What is not so with most jobs: '' or JSON.
local function extra(job)
  local rare, priority = job[RARE], record.priority(job)
  if priority == 0 and not (rare and has_extra(rare)) then
    return ''
  end
  local more = encode_json({
    priority = priority,
    retries = record.retries(job),
    remaining = record.remaining(job),
    tags = record.rare(job, TAGS),
    route = record.rare(job, ROUTE),
    throttles = record.rare(job, THROTTLES),
    parent = record.rare(job, PARENT),
    tracked = record.rare(job, TRACKED),
  })
  local headers = rare and rare[HEADERS]
  return headers and sub(more, 1, -2) .. ',"headers":' .. headers .. '}' or more
end

-- Where in the reply of a reservation the number of the jobs stands that have all this in common: those that follow each other
-- are a group, of which it is said once. All is plain values, as a list in a list costs Redis more than its values.
local function group_of(reservation, queue, lease_ms, more)
  local reply, at = reservation.reply, reservation.group
  if reply[at] and reply[at - 3] == queue and reply[at - 2] == lease_ms and reply[at - 1] == more then
    return at
  end
  at = #reply + 4
  reply[at - 3], reply[at - 2], reply[at - 1], reply[at] = queue, lease_ms, more, 0
  reservation.group = at
  return at
end

local function append_view(reservation, job, payload, lease_ms, more)
  local reply, at = reservation.reply, group_of(reservation, job[QUEUE], lease_ms, more)
  local length = #reply
  reply[length + 1], reply[length + 2], reply[length + 3], reply[length + 4] = job[JID], job[KIND], payload, job[PUT_AT]
  reply[at] = reply[at] + 1
end

-- One reservation in progress: what it may still take, and from which queues it can take nothing more.
local function new_reservation(request, work)
  local reply = { '', -1, queues.version() }
  return {
    request = request, reply = reply, group = 0, jids = {}, count = 0, bytes = 0,
    work = work, look = LOOK_AHEAD, full = false, -- what is left of them; whether there is room for no more
    lines = {}, rooms = {}, idle = false, -- by queue, by throttle; none of the queues has jobs
  }
end

-- What is known of a queue: how many were passed by and taken, whether it has none left for this call and whether it is known to
-- have more, its lease, and since when {ns}:due has it.
local function line_of(reservation, queue)
  local line = reservation.lines[queue]
  if not line then
    line = {
      passed = 0, taken = 0, drained = reservation.idle, more = false, lease_ms = config.get('heartbeat', queue),
      due = reservation.request.times[reservation.request.places[queue]],
    }
    reservation.lines[queue] = line
  end
  return line
end

local function weight(rare)
  return 3 + (#(rare[TAGS] or '') + #(rare[THROTTLES] or '')) / 2
end

-- Jobs that stand in `queue` one after the other, after `offset` others. `free`: plain ones may pass.
local function slice_of(queue, line, key, offset, jids, free)
  local names, stored = state.read(jids)
  return {
    queue = queue, key = key, offset = offset,
    jids = jids, names = names, stored = stored, lease_ms = line.lease_ms, due = line.due, free = free,
    payloads = nil,
  }
end

-- A payload that does not ride with its record; some at a time, as a reply has an end.
local SOME_PAYLOADS = 8

local function payload_apart(slice, index)
  local jids, payloads = slice.jids, slice.payloads or {}
  slice.payloads = payloads
  if not payloads[index] then
    local names, last = {}, min(index + SOME_PAYLOADS - 1, #jids)
    for at = index, last do
      names[#names + 1] = keys.data(jids[at])
    end
    local found = call('MGET', unpack(names))
    for at = index, last do
      payloads[at] = found[at - index + 1] or 'null'
    end
  end
  return payloads[index]
end

-- Takes a job, or has it wait for the throttle that holds it back; false when there is no room for it.
local function take_job(reservation, job, own, lease_ms)
  local rare, full = job[RARE], throttle.take(reservation.rooms, own, job)
  reservation.work = reservation.work - (rare and weight(rare) or 1)
  if full then
    reservation.look = reservation.look - 1
    reservation.full = reservation.look < 0
    if not reservation.full then
      state.throttle(job, full)
      reservation.throttled = true
    end
    return not reservation.full
  end
  local payload, more, count = record.payload(job), extra(job), reservation.count
  local bytes = reservation.bytes + #payload + #more
  reservation.full = (bytes > MAX_REPLY or reservation.work < 0) and count > 0
  if reservation.full then
    return false
  end
  state.run(job, reservation.token, reservation.request.worker, now + lease_ms)
  append_view(reservation, job, payload, lease_ms, more)
  reservation.count, reservation.bytes, reservation.jids[count + 1] = count + 1, bytes, job[JID]
  return true
end

-- Takes the plain jobs of a slice from `first` on, up to the first that is not; how many.
local function take_plain(reservation, slice, first)
  local queue, jids, names, stored, lease_ms = slice.queue, slice.jids, slice.names, slice.stored, slice.lease_ms
  local reply, taken, count = reservation.reply, reservation.jids, reservation.count
  local bytes, work, at, worker, lease_until = reservation.bytes, reservation.work, #reply, reservation.request.worker, now + lease_ms
  local head, of_queue, kind_at, run_head
  local way, passing, entries, texts, passed, written, lease_text, group
  for index = first, #jids do
    local old = stored[index]
    if not old then
      break
    elseif not head or find(old, head, 1, true) ~= 1 then
      head, of_queue = record.waiting_head(old)
      if of_queue ~= queue then
        break
      end
      kind_at, run_head = #head + 1, record.run_head(head, reservation.token, lease_until, worker, queue)
    end
    local kind, score, put_at, data_at = from_bytes(ABOUT, old, kind_at)
    if score < 0 or score >= SEQ_SPAN then -- of another priority
      break
    end
    local data = sub(old, data_at)
    local payload = data ~= '' and data or payload_apart(slice, index)
    bytes, work = bytes + #payload, work - 1
    if (bytes > MAX_REPLY or work < 0) and count > 0 then
      reservation.full = true
      break
    end
    if not way then
      way = state.way(slice.key, keys.running(queue), false, worker, RUNNING, queue, lease_until, slice.due)
      passing, entries, texts = state.passing(way)
      passed, written, lease_text = #passing, #texts, text(lease_until)
      group = group_of(reservation, queue, lease_ms, '')
      at = #reply
    end
    local jid = jids[index]
    passed, count = passed + 1, count + 1
    passing[passed] = jid
    entries[2 * passed - 1] = lease_text
    entries[2 * passed] = jid
    texts[written + 1] = names[index]
    texts[written + 2] = run_head .. sub(old, kind_at, data_at - 1) .. data
    written = written + 2
    taken[count] = jid
    reply[at + 1] = jid
    reply[at + 2] = kind
    reply[at + 3] = payload
    reply[at + 4] = put_at
    at = at + 4
  end
  local more = count - reservation.count
  if way then
    reply[group] = reply[group] + more
  end
  if way and way.from_head == slice.offset + first - 1 then
    way.from_head = way.from_head + more
  end
  reservation.count, reservation.bytes, reservation.work = count, bytes, work
  return more
end

-- Takes what it may of the jobs that stand in a queue one after the other; those that a throttle holds back wait for it.
local function take_some(reservation, line, slice, own)
  local count, passed, index = reservation.count, 0, 1
  while index <= #slice.jids and not reservation.full do
    local plainly = slice.free and take_plain(reservation, slice, index) or 0
    index, passed = index + plainly, passed + plainly
    local jid = slice.jids[index]
    if jid and not reservation.full then
      state.hold(jid, slice.names[index], slice.stored[index])
      local job = state.job_of(slice.key, jid, jid)
      if job and take_job(reservation, job, own, slice.lease_ms) then
        passed = passed + 1
      end
      index = index + 1
    end
  end
  line.passed, line.taken = line.passed + passed, line.taken + reservation.count - count
end

-- Takes up to `most` jobs of `queue`, looking past those that a throttle holds back, but in all queues not past too many.
local function take(reservation, queue, most)
  local key, own, rooms = keys.waiting(queue), throttle.of_queue(queue), reservation.rooms
  local line = line_of(reservation, queue)
  local wanted = line.taken + most
  repeat
    local offset, slice = line.passed, min(wanted - line.taken, SLICE)
    -- One more than may be taken tells whether there are more.
    local jids = call('ZRANGE', key, text(offset), text(offset + slice))
    line.more = #jids > slice
    jids[slice + 1] = nil
    if #jids > 0 then
      rooms[own] = rooms[own] or throttle.room(own) or false
      reservation.token = reservation.token or lease.new_token()
      take_some(reservation, line, slice_of(queue, line, key, offset, jids, not (rooms[own] or meta.events)), own)
    end
    -- Where the queue's own throttle is full, nothing more can be taken until one of its jobs is done.
    line.drained = not reservation.full and (not line.more or (rooms[own] or 1) <= 0)
  until line.drained or reservation.full or line.taken >= wanted
end

-- How many of the queues have jobs that wait: one command, so that asking many idle queues costs hardly more than one.
local function active_among(open)
  local names = {}
  for index, queue in ipairs(open) do
    names[index] = keys.waiting(queue)
  end
  return call('EXISTS', unpack(names))
end

-- What each of the queues that have jobs gets by its weight, and 0 for the others. The draw moves where one part ends and the
-- next begins, so that over many calls each gets what is its own, however few jobs are taken at once.
local function weighted_shares(request, open)
  local all, weights = 0, {}
  for index, queue in ipairs(open) do
    weights[index] = call('EXISTS', keys.waiting(queue)) * request.weights[queue]
    all = all + weights[index]
  end
  local shares, reached, sum = {}, 0, 0
  for index, queue in ipairs(open) do
    sum = sum + weights[index]
    local end_of_it = floor(request.limit * sum / all + request.draw)
    shares[queue], reached = end_of_it - reached, end_of_it
  end
  return shares
end

local function take_from_all(reservation, open)
  local request, active = reservation.request, #open == 1 and 1 or active_among(open)
  if active == 0 then
    reservation.idle = true
    return
  end
  local share = request.share and max(1, ceil(request.limit / active)) or request.limit
  local shares = request.weights and weighted_shares(request, open)
  for pass = 1, (shares or share < request.limit) and 2 or 1 do
    for _, queue in ipairs(open) do
      local rest = request.limit - reservation.count
      if rest == 0 or reservation.full then
        return
      end
      local most = pass == 1 and min(shares and shares[queue] or share, rest) or rest
      local line = reservation.lines[queue]
      if most > 0 and not (line and line.drained) then
        take(reservation, queue, most)
      end
    end
  end
end

local function take_and_commit(reservation, open)
  take_from_all(reservation, open)
  state.commit()
end

local function cut(list, length)
  for index = #list, length + 1, -1 do
    list[index] = nil
  end
end

-- Takes from each queue by itself, as a key of one is of another type; those that fail give nothing. Fails when all do.
local function take_apart(reservation, open)
  local served, last_problem = false, nil
  for _, queue in ipairs(open) do
    local count, bytes, full, length = reservation.count, reservation.bytes, reservation.full, #reservation.reply
    reservation.rooms = {}
    local ok, problem = pcall(take_and_commit, reservation, { queue })
    if not ok then
      warn('reserve of queue', queue, problem)
      state.begin()
      reservation.count, reservation.bytes, reservation.full, last_problem = count, bytes, full, problem
      line_of(reservation, queue).taken, line_of(reservation, queue).drained = 0, true
      cut(reservation.jids, count)
      cut(reservation.reply, length)
    end
    served = served or ok
  end
  if not served then
    error(redis.error_reply(last_problem.err or last_problem))
  end
end

-- Takes what it may, with so much `work`, of the queues: the reservation. What failed was work too.
local function take_of(request, open, work)
  local reservation = new_reservation(request, work)
  if #open > 0 and not pcall(take_and_commit, reservation, open) then
    state.begin()
    reservation = new_reservation(request, work / 3)
    take_apart(reservation, open)
  end
  return reservation
end

-- Whether jobs are left in `queue` that may run: not taken yet, or called forward to a throttle that others turned from.
local function leaves_some(reservation, queue)
  local line = reservation.lines[queue]
  local drained = reservation.idle or (line and line.drained)
  if not reservation.throttled and (drained or (line and line.more)) then
    return not drained
  end
  local own_room = reservation.rooms[throttle.of_queue(queue)] or 1
  return (not drained or (reservation.throttled and own_room > 0)) and call('EXISTS', keys.waiting(queue)) == 1
end

-- Tokens: passed on where jobs are left for others, dropped where a waker would find nothing.
local function settle_wakes(reservation, paused)
  local empty = {}
  for index, queue in ipairs(reservation.request.queues) do
    local resting, line = paused[index] == 1, reservation.lines[queue]
    if not resting and leaves_some(reservation, queue) then
      queues.wake(queue)
    elseif resting or reservation.idle or (line and line.drained and line.taken == 0) then
      empty[#empty + 1] = queue
    end
  end
  if #empty > 0 then
    queues.let_sleep(empty)
  end
end

local function earliest(times)
  local soonest
  for _, time in ipairs(times) do
    if time and (not soonest or time < soonest) then
      soonest = time
    end
  end
  return soonest
end

-- When what comes next is due in each of the queues; false for never.
local function due_times(names)
  local times = call('ZMSCORE', keys.due(), unpack(names))
  for index = 1, #times do
    times[index] = times[index] and tonumber(times[index])
  end
  return times
end

-- Hands on, promotes and spawns what is due in the queues asked, at most `budget`; when what comes next is due in each, and what
-- is left of the budget.
local function sweep_queues(names, budget)
  local times = due_times(names)
  local swept = false
  for index, queue in ipairs(names) do
    local time = times[index]
    if time and time <= now and budget > 0 then
      budget = budget - sweep.queue(queue, budget)
      swept = true
    end
  end
  return swept and due_times(names) or times, budget
end

-- One job of one queue, which is the first there and plain; nil when it is another, or there is none.
local function take_alone(request)
  local queue, worker = request.queues[1], request.worker
  local jids = call('ZRANGE', keys.waiting(queue), '0', '1')
  local jid = jids[1]
  local name = jid and keys.job(jid)
  local old = name and call('MGET', name)[1]
  if not old then
    return nil
  end
  local of_queue, kind, put_at, data, flags, score = record.waiting_one(old)
  if of_queue ~= queue then
    return nil
  end
  local lease_ms, due = config.get('heartbeat', queue), request.times[1]
  local payload = data ~= '' and data or call('MGET', keys.data(jid))[1] or 'null'
  local token, lease_until = lease.new_token(), now + lease_ms
  local new = record.running_one(token, lease_until, worker, queue, kind, put_at, data, flags, score)
  state.run_alone(queue, jid, text(lease_until), worker, due and due <= lease_until, name, new)
  if jids[2] then
    queues.wake(queue)
  end
  local due_ms = due and max(0, due - now) or -1
  local reply = { meta.token, due_ms, queues.version(), queue, lease_ms, '', 1, jid, kind, payload, put_at }
  return reply, { reply[1], due_ms, reply[3], jid }
end

-- Takes jobs as asked: the reply of queue_reserve and what `replay` needs to give it again, the jids as one text: to pack a list
-- costs as much as to take its jobs out of the queue.
function reserve.take(request)
  local paused = uses.has('pauses') and call('SMISMEMBER', keys.paused(), unpack(request.queues)) or {}
  local open, budget = {}, MAX_SWEEP
  if request.limit > 0 then
    if uses.has('freeing') then
      budget = budget - freeing.step(budget)
    end
    request.times, budget = sweep_queues(request.queues, budget)
    for index, queue in ipairs(request.queues) do
      if paused[index] ~= 1 then
        open[#open + 1] = queue
      end
    end
  end
  if request.limit == 1 and #open == 1 and #request.queues == 1 and state.may_go_alone() then
    local ok, reply, memo = pcall(take_alone, request)
    if ok and reply then
      return reply, memo
    end
  end
  local reservation = take_of(request, open, MOST_WORK - 5 * request.done - 3 * (MAX_SWEEP - budget))
  settle_wakes(reservation, paused)
  local reply, due = reservation.reply, earliest(request.times)
  reply[1] = reservation.token and meta.token or ''
  reply[2] = due and max(0, due - now) or -1
  return reply, { reply[1], reply[2], reply[3], concat(reservation.jids, '\n') }
end

-- The same beside so many outcomes, which are answered whatever becomes of it.
function reserve.take_beside(done, request)
  request.done = done
  if done == 0 then
    return reserve.take(request)
  end
  local reply, memo = state.attempt('reserve of worker', request.worker, reserve.take, request)
  if not reply then
    reply = { '', -1, queues.version() }
    memo = { '', -1, queues.version(), '' }
  end
  return reply, memo
end

-- The same answer again: those of its jobs whose token still holds.
function reserve.replay(memo)
  state.begin()
  local token, jids = memo[1], {}
  for jid in memo[4]:gmatch('[^\n]+') do
    jids[#jids + 1] = jid
  end
  state.load_all(jids)
  local reservation = { reply = { token, memo[2], memo[3] }, group = 0 }
  for _, jid in ipairs(jids) do
    local job = lease.held(jid, tonumber(token))
    if job then
      append_view(reservation, job, record.payload(job), max(0, job[LEASE_UNTIL] - now), extra(job))
    end
  end
  return reservation.reply
end

return reserve
