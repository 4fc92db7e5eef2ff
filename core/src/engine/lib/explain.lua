-- Why a job is not running: the reasons that hold now, each looked up in bounded time.
local explain = {}

local NAMED, LIVE_MS = 10, 10000

-- Who serves a queue is known when the statuses of all live workers were looked at: of so many with so many bytes in all.
-- Where there is more to look at, nothing is said of it, rather than what may be wrong.
local WORKERS, MAX_STATUSES = 500, 131072

local function add(reasons, why, fields)
  fields.why = why
  reasons[#reasons + 1] = { map = fields }
end

local function full_throttles(job, reasons)
  local ids = texts.union({ throttle.of_queue(job[QUEUE]) }, record.rare(job, THROTTLES) or {})
  for _, id in ipairs(ids) do
    local room = throttle.room(id)
    if room and room <= 0 then
      local queue = throttle.queue_of(id)
      local holders = queue and queues.holders(queue, 0, NAMED) or page.members(keys.held(id), 0, NAMED)
      add(reasons, 'throttled', { throttle = id, limit = throttle.limit(id), held = throttle.holders(id), holders = holders })
    end
  end
end

-- What a worker says of itself may be anything.
local function list(value)
  return type(value) == 'table' and value or {}
end

local function has(names, name)
  for _, one in ipairs(names) do
    if one == name then
      return true
    end
  end
end

local function served(job, reasons)
  local serving, bytes = false, 0
  local oldest, most = text(now - LIVE_MS), text(WORKERS + 1)
  for index, worker in ipairs(call('ZRANGE', keys.workers(), '+inf', oldest, 'BYSCORE', 'REV', 'LIMIT', '0', most)) do
    local length = call('STRLEN', keys.worker(worker))
    bytes = bytes + length
    if index > WORKERS or bytes > MAX_STATUSES or length == 0 then
      return
    end
    local status = decode_json(call('GET', keys.worker(worker)))
    if has(list(status.queues), job[QUEUE]) then
      serving = true
      if #list(status.kinds) == 0 or has(status.kinds, job[KIND]) then
        return
      end
    end
  end
  if not serving then
    add(reasons, 'no-worker', { queue = job[QUEUE] })
  else
    add(reasons, 'unknown-kind', { kind = job[KIND] })
  end
end

local function blocked(job, reasons)
  local key = keys.dependencies(job[JID])
  local jids, failed = call('ZRANGE', key, '0', text(NAMED - 1)), {}
  for index, other in ipairs(record.load_many(jids)) do
    if other and other[STATE] == FAILED then
      failed[#failed + 1] = jids[index]
    end
  end
  add(reasons, 'dependencies', { count = call('ZCARD', key), jids = jids, failed = failed })
end

local function in_line(job, reasons)
  if call('SISMEMBER', keys.paused(), job[QUEUE]) == 1 then
    add(reasons, 'paused', { queue = job[QUEUE] })
  end
  full_throttles(job, reasons)
  served(job, reasons)
end

local function estimate(queue, position)
  local median = stats.median_run(queue)
  local running = shared.running(queue)
  return median and ceil(median * position / max(1, running)) or null
end

-- The view of job_explain.
function explain.job(job)
  local at, reasons = job[STATE], {}
  local position, wait = null, null
  if at == WAITING or at == THROTTLED then
    in_line(job, reasons)
    local before = '(' .. text(job[SCORE])
    position = call('ZCOUNT', keys.waiting(job[QUEUE]), '-inf', before) + call('ZCOUNT', keys.throttled(job[QUEUE]), '-inf', before)
    wait = estimate(job[QUEUE], position)
  elseif at == BLOCKED then
    blocked(job, reasons)
  elseif at == SCHEDULED then
    add(reasons, 'scheduled', { due_in_ms = record.ready_at(job) - now })
  elseif at == RUNNING then
    add(reasons, 'running', { worker = job[WORKER], lease_left_ms = job[LEASE_UNTIL] - now })
  elseif at == FAILED then
    local problem = failure.read(job)
    add(reasons, 'failed', { group = record.rare(job, GROUP), message = problem ~= null and problem.map.message or nil })
  else
    add(reasons, 'completed', { ago_ms = now - job[ENDED_AT] })
  end
  return {
    map = {
      jid = job[JID], state = STATE_NAMES[at], queue = job[QUEUE], reasons = reasons, position = position, estimated_wait_ms = wait,
    },
  }
end

return explain
