-- Taking jobs under a lease, for queue_reserve and worker_turn.
local reserve = {}

-- What one call may do, in plain jobs taken. One that is not plain counts as three, and each two of its tags and throttles
-- as one more; one that was due counts as three; an outcome that came in the same call as five.
local MOST_WORK = 500

-- A worker that was declared lost gets nothing more: a late call of it would strand jobs.
function reserve.refuse_lost(worker)
  local pulse = uses.has('losses') and call('ZSCORE', keys.workers(), worker)
  if pulse and tonumber(pulse) < 0 then
    fail('WRONG_STATE', 'worker ' .. worker .. ' was declared lost; it must start again under a new name')
  end
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
        taking.take(reservation, queue, most)
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
      taking.line_of(reservation, queue).taken, taking.line_of(reservation, queue).drained = 0, true
      cut(reservation.jids, count)
      cut(reservation.reply, length)
    end
    served = served or ok
  end
  if not served then
    fail_with(last_problem)
  end
end

-- Takes what it may, with so much `work`, of the queues: the reservation. What failed was work too.
local function take_of(request, open, work)
  local reservation = taking.new(request, work)
  if #open > 0 and not pcall(take_and_commit, reservation, open) then
    state.begin()
    reservation = taking.new(request, work / 3)
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

-- For how many µs a worker may wait that was told of what is `due`: in whole ms it would be late by half of one; -1 for never.
local function us_until(due)
  return due and max(0, (due - now) * 1000 - tonumber(sub(now_us, -3))) or -1
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
  local head, of_queue = record.waiting_head(old)
  if of_queue ~= queue then
    return nil
  end
  local lease_ms, due = config.get('heartbeat', queue), request.times[1]
  local about = sub(old, #head + 1)
  local payload = record.is_far(head) and (call('MGET', keys.data(jid))[1] or 'null') or nil
  local token, lease_until = lease.new_token(), now + lease_ms
  local new = record.run_head(head, token, lease_until, worker, queue) .. about
  state.run_alone(queue, jid, text(lease_until), worker, due and due <= lease_until, name, new)
  if jids[2] then
    queues.wake(queue)
  end
  local reply = { meta.token, us_until(due), queues.version(), queue, lease_ms, '', 1, jid, about, payload }
  return reply, { reply[1], reply[2], reply[3], jid }
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
  local reply = reservation.reply
  reply[1] = reservation.token and meta.token or ''
  reply[2] = us_until(earliest(request.times))
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
      reserve_reply.append(reservation, job, record.payload(job), max(0, job[LEASE_UNTIL] - now), reserve_reply.extra(job))
    end
  end
  return reservation.reply
end

return reserve
