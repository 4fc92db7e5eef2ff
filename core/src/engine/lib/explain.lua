-- Why a job is not running: the reasons that hold now, each looked up in bounded time.
local explain = {}

local NAMED, WORKERS, LIVE_MS = 10, 100, 10000

-- Statuses are read until so many bytes have been: with a thousand kinds each a hundred would take too long.
local MAX_STATUSES = 131072

local function add(reasons, why, fields)
  fields.why = why
  reasons[#reasons + 1] = { map = fields }
end

local function full_throttles(job, reasons)
  local ids = tags.union({ throttle.of_queue(job[QUEUE]) }, record.rare(job, THROTTLES) or {})
  for _, id in ipairs(ids) do
    local room = throttle.room(id)
    if room and room <= 0 then
      local queue = throttle.queue_of(id)
      local holders = call('ZRANGE', queue and keys.running(queue) or keys.held(id), '0', text(NAMED - 1))
      add(reasons, 'throttled', { throttle = id, limit = throttle.limit(id), held = throttle.holders(id), holders = holders })
    end
  end
end

-- What a worker says of itself may be anything.
local function list(value)
  return type(value) == 'table' and value or {}
end

local function served(job, reasons)
  local serving, knowing = false, false
  local bytes = 0
  for _, worker in ipairs(call('ZRANGE', keys.workers(), '+inf', text(now - LIVE_MS), 'BYSCORE', 'REV', 'LIMIT', '0', text(WORKERS))) do
    local status = bytes < MAX_STATUSES and call('GET', keys.worker(worker)) or '{}'
    bytes = bytes + #status
    status = decode_json(status)
    for _, queue in ipairs(list(status.queues)) do
      if queue == job[QUEUE] then
        serving = true
        for _, kind in ipairs(list(status.kinds)) do
          knowing = knowing or kind == job[KIND]
        end
        knowing = knowing or #list(status.kinds) == 0
      end
    end
  end
  if not serving then
    add(reasons, 'no-worker', { queue = job[QUEUE] })
  elseif not knowing then
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
  local running = call('ZCARD', keys.running(queue))
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
    add(reasons, 'failed', { group = record.rare(job, GROUP), message = failure.read(job).map.message })
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
