-- Writing what changed: places, then what follows from them, then the records.
local commit = {}

-- Draws so many places in line; the last seq before them.
function commit.draw_seq(count)
  return call('INCRBY', keys.seq(), text(count)) - count
end

-- Draws a seq for every job that left its place, in the order of leaving.
local function draw_places(placeless)
  local count = #placeless
  if count == 0 then
    return
  end
  local seq = commit.draw_seq(count)
  for index = 1, count do
    local job = placeless[index]
    local score = job[SCORE]
    job[SCORE] = score - score % SEQ_SPAN + seq + index
  end
end

-- The move of jobs that go from one zset and worker to one zset and worker: they are written together.
function commit.move(moves, from, to, left, joined, at, queue)
  local way = concat({ from or '', to or '', left or '', joined or '' }, '\n')
  local move = moves[way]
  if not move then
    move = {
      from = from, to = to, left = left, joined = joined, at = at, queue = queue,
      jids = {}, old_members = nil, entries = {}, earliest = 2 ^ 53,
      from_head = 0, -- how many of the first jids are the first in `from`
      due = nil, -- since when {ns}:due has the queue, where that is known
      -- names of the shared leases that are left and joined; how many are left of one once it was left, whether one was joined
      from_lease = from and shared.named_by(from), to_lease = to and shared.named_by(to), rest = nil, begun = false,
      lease_until = nil, -- of the jobs, where they leave a shared lease
    }
    moves[way] = move
    moves[#moves + 1] = move
  end
  return move
end

local function move_of(moves, job, to, joined)
  local move = commit.move(moves, job[FROM], to, job[FROM_WORKER], joined, job[STATE], job[QUEUE])
  if job[FROM_MEMBER] then
    move.old_members = move.old_members or {}
  end
  move.lease_until = move.from_lease and job[LEASE_UNTIL]
  return move
end

-- What the changed jobs mean for the collections: adds to `moves`.
local function derive(changed, moves)
  local all_events = meta.events
  local move
  local from, to, left, joined, count, score_text, last_score
  for index = 1, #changed do
    local job = changed[index]
    local key, score = place.of(job)
    local worker = job[STATE] == RUNNING and job[WORKER]
    if job[RARE] or all_events then
      event.derive(job)
    end
    if key ~= to or job[FROM] ~= from or worker ~= joined or job[FROM_WORKER] ~= left then
      move = move_of(moves, job, key, worker)
      from, to, left, joined = move.from, key, move.left, worker
      count, last_score = #move.jids, nil
    end
    count = count + 1
    move.jids[count] = job[JID]
    if move.old_members then
      move.old_members[count] = job[FROM_MEMBER]
    end
    if key then
      if score ~= last_score then
        last_score, score_text = score, text(score)
        if score < move.earliest then
          move.earliest = score
        end
      end
      move.entries[2 * count - 1] = score_text
      move.entries[2 * count] = move.at == SCHEDULED and place.member_of(job) or job[JID]
    end
  end
end

-- A scheduled job that stays in its zset under the name that it had there must not be taken out of it.
local function write_old_members(move)
  local stays, gone = {}, {}
  for index = 2, move.from == move.to and #move.entries or 0, 2 do
    stays[move.entries[index]] = true
  end
  for _, member in ipairs(move.old_members) do
    if not stays[member] then
      gone[#gone + 1] = member
    end
  end
  call_sliced('ZREM', move.from, gone)
end

-- A zset with few members is a list that Redis reads from its head, once or twice for each member that comes: for a batch
-- that takes five times as long as in a skip list. A member longer than such a list takes makes it one.
local MANY, LONG = 16, ('-'):rep(65)

local function add_many(key, entries)
  if #entries < 2 * MANY then
    return call_sliced('ZADD', key, entries, 2)
  end
  call('ZADD', key, '0', LONG, unpack(entries, 1, min(#entries, 2 * MAX_SLICE)))
  for first = 2 * MAX_SLICE + 1, #entries, 2 * MAX_SLICE do
    call('ZADD', key, unpack(entries, first, min(first + 2 * MAX_SLICE - 1, #entries)))
  end
  call('ZREM', key, LONG)
end

-- The worker has in hand by themselves what shared a lease until now, and keeps its end.
local function write_lease_end(move)
  local lease_until, entries = text(move.lease_until), {}
  for index, jid in ipairs(move.jids) do
    entries[2 * index - 1], entries[2 * index] = lease_until, jid
  end
  call_sliced('ZADD', keys.worker_jobs(move.joined), entries, 2)
end

local function write_arrival(move)
  local to, joined = move.to, move.joined
  if move.to_lease then
    shared.begin(move.to_lease, joined, text(move.earliest), move.jids)
    move.begun = true
  elseif joined and to == keys.running(move.queue) then
    add_many(to, move.entries)
    add_many(keys.worker_jobs(joined), move.entries)
  elseif to then -- in grace the lease's end stays what it was for the worker
    call_sliced('ZADD', to, move.entries, 2)
    if joined and move.from_lease then
      write_lease_end(move)
    end
  end
  if (move.at == RUNNING or move.at == SCHEDULED) and not (move.due and move.due <= move.earliest) then
    call('ZADD', keys.due(), 'LT', text(move.earliest), move.queue)
  end
end

local function write_departure(move)
  local from, left = move.from, move.left
  if move.from_lease then
    move.rest = shared.leave(move.from_lease, #move.jids)
    return
  end
  if move.old_members then
    write_old_members(move)
  elseif from and from ~= move.to then
    if move.from_head > 0 and move.from_head == #move.jids then
      call('ZREMRANGEBYRANK', from, '0', text(move.from_head - 1))
    else
      call_sliced('ZREM', from, move.jids)
    end
  end
  if left and left ~= move.joined then
    call_sliced('ZREM', keys.worker_jobs(left), move.jids)
  end
end

-- `names`: of what is gone beside them.
local function delete_gone(changed, names)
  for index = 1, #changed do
    local job = changed[index]
    if job[STATE] == GONE or job[REPLACED] then
      record.name_keys(job, names)
    end
  end
  for first = 1, #names, MAX_SLICE do
    call('UNLINK', unpack(names, first, min(first + MAX_SLICE - 1, #names)))
  end
end

-- `names_and_records`: what is written beside them, as names and texts; `gone`: names of what is deleted.
local function write_records(changed, names_and_records, gone)
  local length = #names_and_records
  delete_gone(changed, gone)
  for index = 1, #changed do
    local job = changed[index]
    if job[STATE] ~= GONE then
      names_and_records[length + 1] = job[NAME]
      names_and_records[length + 2] = record.encode(job)
      length = length + 2
    end
  end
  for first = 1, length, 2 * MAX_SLICE do
    call('MSET', unpack(names_and_records, first, min(first + 2 * MAX_SLICE - 1, length)))
  end
end

-- The throttles of queues that a job left, or that one called forward passed by.
local function note_freed_queues(moves, freed)
  if not uses.has('throttles') then
    return
  end
  for _, move in ipairs(moves) do
    local kind, queue = place.parts(move.from or ns)
    if (kind == 'running' or kind == 'grace' or kind == 'waiting') and not (move.at == RUNNING and move.queue == queue) then
      freed[throttle.of_queue(queue)] = true
    end
  end
end

-- Says what entered the queues: a new queue to workers on patterns, work to a worker that waits.
local function announce(moves)
  local entered
  for index = 1, #moves do
    local move = moves[index]
    local queue, at = move.queue, move.at
    if at == WAITING or at == SCHEDULED or at == BLOCKED then
      entered = entered or {}
      local wakes = at == WAITING
      if at == SCHEDULED then
        local head = call('ZRANGE', keys.scheduled(queue), '0', '0', 'WITHSCORES')
        wakes = tonumber(head[2]) == move.earliest
      end
      entered[queue] = entered[queue] or wakes
    end
  end
  if entered then
    queues.enter(entered)
  end
end

-- Where the jobs are, and who is told; fails only on a key of another type.
local function write_places(moves)
  for index = 1, #moves do
    write_arrival(moves[index])
  end
  for index = 1, #moves do
    write_departure(moves[index])
  end
  announce(moves)
  stats.flush()
end

-- A job, called `member` in the zset `key`, is back where its record says.
local function restore(jid, key, member, joined)
  local old = record.load(jid)
  if key then
    redis.pcall('ZREM', key, member)
  end
  if joined then
    redis.pcall('ZREM', keys.worker_jobs(joined), jid)
  end
  if old and not old[SHARES] then
    local old_key, score = place.of(old)
    redis.pcall('ZADD', old_key, text(score), place.member_of(old))
    if old[STATE] == RUNNING then
      redis.pcall('ZADD', keys.worker_jobs(old[WORKER]), text(old[LEASE_UNTIL]), jid)
    end
  end
end

-- Back to where the records say: they are not yet written.
local function restore_places(moves)
  for _, move in ipairs(moves) do
    if move.rest then
      shared.leave(move.from_lease, -#move.jids)
    end
    if move.begun then
      shared.leave(move.to_lease, #move.jids)
      shared.close(move.to_lease, move.joined)
    end
    for index, jid in ipairs(move.jids) do
      restore(jid, not move.to_lease and move.to, move.entries[2 * index], move.joined)
    end
  end
end

-- The shared leases that were left, once the records say so.
local function settle_leases(moves)
  for index = 1, #moves do
    local move = moves[index]
    if move.rest then
      shared.settle(move.from_lease, move.rest, #move.jids, move.left)
    end
  end
end

-- ## One plain job
--
-- What `write` does, for a job alone: only its commands, as to note what is to be written costs more than to write it.

-- A new job waits in `queue`; `awake`: the queue has a token.
function commit.enter_one(queue, jid, score_text, awake, name, stored, apart)
  local key = keys.waiting(queue)
  call('ZADD', key, score_text, jid)
  if not awake then
    local ok, problem = pcall(queues.know_and_wake, queue)
    if not ok then
      restore(jid, key, jid)
      fail_with(problem)
    end
  end
  if apart then
    call('MSET', name, stored, keys.data(jid), apart)
  else
    call('SET', name, stored)
  end
end

local function write_start(queue, jid, lease_text, worker, due)
  call('ZADD', keys.running(queue), lease_text, jid)
  call('ZADD', keys.worker_jobs(worker), lease_text, jid)
  if not due then
    call('ZADD', keys.due(), 'LT', lease_text, queue)
  end
  call('ZREM', keys.waiting(queue), jid)
end

-- A waiting job runs; `due`: {ns}:due has its queue in time.
function commit.start_one(queue, jid, lease_text, worker, due, name, stored)
  local ok, problem = pcall(write_start, queue, jid, lease_text, worker, due)
  if not ok then
    restore(jid, keys.running(queue), jid, worker)
    fail_with(problem)
  end
  call('SET', name, stored)
end

local function write_end(queue, jid, worker, lease_name, run_ms, ready_at)
  call('ZADD', keys.completed(), now_text, jid)
  stats.write_one(queue, run_ms, ready_at)
  if not lease_name then
    call('ZREM', keys.running(queue), jid)
    call('ZREM', keys.worker_jobs(worker), jid)
  else
    return shared.leave(lease_name, 1)
  end
end

-- A running job is completed, after so long; `lease_name`: of the lease that it shares.
function commit.complete_one(queue, jid, worker, lease_name, run_ms, ready_at, name, stored, result)
  local ok, answer = pcall(write_end, queue, jid, worker, lease_name, run_ms, ready_at)
  if not ok then
    restore(jid, keys.completed(), jid)
    fail_with(answer)
  end
  if result ~= '' then
    call('MSET', name, stored, keys.result(jid), result)
  else
    call('SET', name, stored)
  end
  if lease_name then
    shared.settle(lease_name, answer, 1, worker)
  end
end

-- ## All that changed

-- Writes the `changed` jobs, beside them `moves` that were noted already, `texts` and what is `gone`, or nothing: a key of another
-- type is met before the first record is written; only figures may stay counted, and places in line drawn. `placeless` are those
-- that want a new place in line. The throttles that were let go of.
function commit.write(changed, placeless, moves, texts, gone)
  local freed, stands = {}, nil
  if #changed > 0 then
    draw_places(placeless)
    derive(changed, moves)
    stands = standing.plan(changed, freed)
  end
  local ok, problem = pcall(write_places, moves)
  if not ok then
    restore_places(moves)
    fail_with(problem)
  end
  note_freed_queues(moves, freed)
  if stands then
    standing.write(stands)
  end
  write_records(changed, texts, gone)
  settle_leases(moves)
  history.flush()
  event.flush()
  return freed
end

return commit
