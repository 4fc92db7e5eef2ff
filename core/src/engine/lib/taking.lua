-- Takes jobs out of one queue, from its head on: which of them may be taken, and what each costs of what a call may do.
local taking = {}

local MAX_REPLY, LOOK_AHEAD, SLICE = 8388608, 100, 100

-- One reservation in progress: what it may still take, and from which queues it can take nothing more.
function taking.new(request, work)
  local reply = { '', -1, queues.version() }
  return {
    request = request, reply = reply, group = 0, jids = {}, count = 0, bytes = 0,
    work = work, look = LOOK_AHEAD, full = false, -- what is left of them; whether there is room for no more
    lines = {}, rooms = {}, idle = false, -- by queue, by throttle; none of the queues has jobs
  }
end

-- What is known of a queue: how many were passed by and taken, whether it has none left for this call and whether it is known to
-- have more, its lease, and since when {ns}:due has it.
function taking.line_of(reservation, queue)
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
    payloads = nil, lease = nil, -- the name of the lease that the plain ones share
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
  local payload, more, count = record.payload(job), reserve_reply.extra(job), reservation.count
  local bytes = reservation.bytes + #payload + #more
  reservation.full = (bytes > MAX_REPLY or reservation.work < 0) and count > 0
  if reservation.full then
    return false
  end
  state.run(job, reservation.token, reservation.request.worker, now + lease_ms)
  reserve_reply.append(reservation, job, payload, lease_ms, more)
  reservation.count, reservation.bytes, reservation.jids[count + 1] = count + 1, bytes, job[JID]
  return true
end

-- Notes what `take_plain` took of a slice, and wrote over what was stored.
local function pass_taken(reservation, slice, first, last, lease_until)
  local queue, worker = slice.queue, reservation.request.worker
  local to = slice.lease and keys.lease(slice.lease) or keys.running(queue)
  local way = state.way(slice.key, to, false, worker, RUNNING, queue, lease_until, slice.due)
  state.pass(way, first, last, slice.jids, slice.names, slice.stored, text(lease_until))
  if way.from_head == slice.offset + first - 1 then
    way.from_head = way.from_head + last - first + 1
  end
end

-- Takes the plain jobs of a slice from `first` on, up to the first that is not; how many.
local function take_plain(reservation, slice, first)
  local queue, jids, stored, lease_ms = slice.queue, slice.jids, slice.stored, slice.lease_ms
  local reply, taken, count = reservation.reply, reservation.jids, reservation.count
  local bytes, work, at, lease_until = reservation.bytes, reservation.work, #reply, now + lease_ms
  local head, of_queue, own_at, far, run_head, group
  for index = first, #jids do
    local old = stored[index]
    if not old then
      break
    elseif not head or find(old, head, 1, true) ~= 1 then
      head, of_queue = record.waiting_head(old)
      if of_queue ~= queue then
        break
      end
      own_at, far = #head + 1, record.is_far(head)
      run_head = record.run_head(head, reservation.token, lease_until, reservation.request.worker, queue, slice.lease)
    end
    local about = sub(old, own_at)
    local payload = far and payload_apart(slice, index)
    bytes, work = bytes + #(payload or about), work - 1
    if (bytes > MAX_REPLY or work < 0) and count > 0 then
      reservation.full = true
      break
    end
    if not group then
      group = reserve_reply.group_of(reservation, queue, lease_ms, '')
      at = #reply
    end
    stored[index] = run_head .. about
    local jid = jids[index]
    count = count + 1
    taken[count] = jid
    reply[at + 1] = jid
    reply[at + 2] = about
    at = at + 2
    if payload then
      at = at + 1
      reply[at] = payload
    end
  end
  local more = count - reservation.count
  if more > 0 then
    reply[group] = reply[group] + more
    pass_taken(reservation, slice, first, first + more - 1, lease_until)
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
function taking.take(reservation, queue, most)
  local key, own, rooms = keys.waiting(queue), throttle.of_queue(queue), reservation.rooms
  local line = taking.line_of(reservation, queue)
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
      local taken = slice_of(queue, line, key, offset, jids, not (rooms[own] or meta.events))
      taken.lease = #jids >= shared.FEW and shared.name(reservation.token, queue) or nil
      take_some(reservation, line, taken, own)
    end
    -- Where the queue's own throttle is full, nothing more can be taken until one of its jobs is done.
    line.drained = not reservation.full and (not line.more or (rooms[own] or 1) <= 0)
  until line.drained or reservation.full or line.taken >= wanted
end

return taking
