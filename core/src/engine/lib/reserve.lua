-- Taking jobs under a lease, for queue_reserve and worker_turn.
local reserve = {}

local MAX_QUEUES, MAX_REPLY, SWEEP_LIMIT = 64, 8388608, 200

-- The arguments from `first` on: worker, limit, share, then queues: from argument `first_queue` to `last_queue`.
function reserve.parse(argv, first, first_queue, last_queue)
  local request = { worker = check.name(argv[first], 'worker'), queues = {} }
  request.limit = check.integer(argv[first + 1] or '', 'limit', 0, MAX_ITEMS)
  local share = argv[first + 2]
  if share ~= '0' and share ~= '1' then
    fail('INVALID_ARGUMENT', "share must be '0' or '1'")
  end
  request.share = share == '1'
  local seen = {}
  for index = first_queue, last_queue do
    local queue = check.name(argv[index], 'queue')
    if not seen[queue] then
      seen[queue] = true
      request.queues[#request.queues + 1] = queue
    end
  end
  if #request.queues == 0 or #request.queues > MAX_QUEUES then
    fail('INVALID_ARGUMENT', 'queues: 1 to ' .. MAX_QUEUES .. ' are allowed, not ' .. #request.queues)
  end
  return request
end

-- A worker that was declared lost gets nothing more: a late call of it would strand jobs.
function reserve.refuse_lost(worker)
  local pulse = call('ZSCORE', keys.workers(), worker)
  if pulse and tonumber(pulse) < 0 then
    fail('WRONG_STATE', 'worker ' .. worker .. ' was declared lost; it must start again under a new name')
  end
end

-- What is not so with most jobs: '' or JSON.
local function extra(job)
  local rare, priority = job[RARE], record.priority(job)
  if priority == 0 and not (rare and (rare[RETRIES] or rare[REMAINING] or rare[TAGS] or rare[ROUTE])) then
    return ''
  end
  return encode_json({
    priority = priority,
    retries = record.retries(job),
    remaining = record.remaining(job),
    tags = record.rare(job, TAGS),
    route = record.rare(job, ROUTE),
  })
end

-- Appends a job to a reply: seven plain values, as a list in a list costs Redis more than its values.
local function append_view(reply, job, payload, lease_ms, more)
  local at = #reply
  reply[at + 1] = job[JID]
  reply[at + 2] = job[KIND]
  reply[at + 3] = job[QUEUE]
  reply[at + 4] = payload
  reply[at + 5] = lease_ms
  reply[at + 6] = job[PUT_AT]
  reply[at + 7] = more
end

-- One reservation in progress: what it may still take, and from which queues it can take nothing more.
local function new_reservation(request)
  local reply = { '', -1, meta.queues_version }
  return { request = request, reply = reply, jids = {}, count = 0, bytes = 0, taken = {}, drained = {}, lease_ms = {} }
end

local function take(reservation, queue, most)
  local request, offset = reservation.request, reservation.taken[queue] or 0
  local key = keys.waiting(queue)
  local jids = call('ZRANGE', key, text(offset), text(offset + most - 1))
  reservation.drained[queue] = #jids < most
  if #jids == 0 then
    return
  end
  reservation.token = reservation.token or lease.new_token()
  local lease_ms = reservation.lease_ms[queue] or config.get('heartbeat', queue)
  reservation.lease_ms[queue] = lease_ms
  local jobs, lease_until = state.jobs_of(key, jids, jids), now + lease_ms
  local count, bytes = reservation.count, reservation.bytes
  for index = 1, #jobs do
    local job = jobs[index]
    local payload, more = record.payload(job), extra(job)
    bytes = bytes + #payload + #more
    if bytes > MAX_REPLY and count > 0 then
      reservation.drained[queue], reservation.full = false, true
      break
    end
    state.run(job, reservation.token, request.worker, lease_until)
    append_view(reservation.reply, job, payload, lease_ms, more)
    count, offset = count + 1, offset + 1
    reservation.jids[count] = job[JID]
  end
  reservation.count, reservation.bytes, reservation.taken[queue] = count, bytes, offset > 0 and offset or nil
end

local function fair_share(request, open)
  if not request.share or #open == 1 then
    return request.limit
  end
  local active = 0
  for _, queue in ipairs(open) do
    if call('EXISTS', keys.waiting(queue)) == 1 then
      active = active + 1
    end
  end
  return max(1, ceil(request.limit / max(1, active)))
end

local function take_from_all(reservation, open)
  local request = reservation.request
  local share = fair_share(request, open)
  for pass = 1, share < request.limit and 2 or 1 do
    for _, queue in ipairs(open) do
      local rest = request.limit - reservation.count
      if rest == 0 or reservation.full then
        return
      end
      if not reservation.drained[queue] then
        take(reservation, queue, pass == 1 and min(share, rest) or rest)
      end
    end
  end
end

-- Tokens: passed on where jobs are left for others, dropped where a waker would find nothing.
local function settle_wakes(reservation, paused)
  local empty = {}
  for index, queue in ipairs(reservation.request.queues) do
    local idle = paused[index] == 1
    if not idle and not reservation.drained[queue] and call('EXISTS', keys.waiting(queue)) == 1 then
      state.wake(queue)
    elseif idle or (reservation.drained[queue] and not reservation.taken[queue]) then
      empty[#empty + 1] = keys.wake(queue)
    end
  end
  if #empty > 0 then
    call('DEL', unpack(empty))
  end
end

local function earliest(times)
  local soonest
  for _, time in ipairs(times) do
    time = time and tonumber(time)
    if time and (not soonest or time < soonest) then
      soonest = time
    end
  end
  return soonest
end

-- Hands on, promotes and spawns what is due in the queues asked; the earliest thing due after that.
local function sweep_queues(queues)
  local times = call('ZMSCORE', keys.due(), unpack(queues))
  local budget, swept = SWEEP_LIMIT, false
  for index, queue in ipairs(queues) do
    local time = times[index] and tonumber(times[index])
    if time and time <= now and budget > 0 then
      budget = budget - sweep.queue(queue, budget)
      swept = true
    end
  end
  return earliest(swept and call('ZMSCORE', keys.due(), unpack(queues)) or times)
end

-- Takes jobs as asked: the reply of queue_reserve and what `replay` needs to give it again.
function reserve.take(request)
  local reservation = new_reservation(request)
  local paused = call('SMISMEMBER', keys.paused(), unpack(request.queues))
  local due
  if request.limit > 0 then
    due = sweep_queues(request.queues)
    local open = {}
    for index, queue in ipairs(request.queues) do
      if paused[index] == 0 then
        open[#open + 1] = queue
      end
    end
    if #open > 0 then
      take_from_all(reservation, open)
    end
    state.commit()
  end
  settle_wakes(reservation, paused)
  local reply = reservation.reply
  reply[1] = reservation.token and text(reservation.token) or ''
  reply[2] = due and max(0, due - now) or -1
  return reply, { reply[1], reply[2], reply[3], reservation.jids }
end

-- The same answer again: those of its jobs whose token still holds.
function reserve.replay(memo)
  state.begin()
  local token = memo[1]
  state.load_all(memo[4])
  local reply = { token, memo[2], memo[3] }
  for _, jid in ipairs(memo[4]) do
    local job = lease.held(jid, tonumber(token))
    if job then
      append_view(reply, job, record.payload(job), max(0, job[LEASE_UNTIL] - now), extra(job))
    end
  end
  return reply
end

return reserve
