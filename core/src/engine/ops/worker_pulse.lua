-- worker_pulse: at least once a second a worker process says that it lives and which jobs it holds.
--
-- Renews the leases that are past a third of their length, tells which jobs are lost, keeps the
-- worker's status for others to see, and sweeps what is due unless another worker did within the second.
--
-- args    worker   text     its name
--         status   text     JSON object of at most 1 MiB, which the largest worker fits in: language version host (texts up to
--                           255 bytes) pid threads running since_ms (how long it lives) memory (bytes; whole numbers) queues
--                           kinds (lists of up to 1000 names) quiet paused (booleans) jobs (list of up to 100 of those it
--                           performs: jid kind queue, texts, since_ms, how long) heard (number of the last order it heard of)
--         then items of  jid    text
--                        token  text
-- reply   list per item ('' or LOCK_LOST <reason>), list of the orders after the one it heard of (see worker_order; whoever
--         does not say which is told each once), queues_version, the number of the last of these orders, or 0
-- errors  INVALID_ARGUMENT, WRONG_STATE (the worker was declared lost)
-- keys    {ns}:workers {ns}:worker:<name> {ns}:kinds {ns}:job:<jid> {ns}:running:<q> {ns}:lease:<token>:<q> {ns}:leases:<q>
--         {ns}:leased:<q> {ns}:grace:<q> {ns}:due {ns}:swept {ns}:orders:<name> {ns}:worker-jobs:<name> {ns}:worker-leases:<name> and
--         those of sweep
local STATUS = {
  language = 'text', version = 'text', host = 'text', pid = 'number', threads = 'number', running = 'number', queues = 'names',
  kinds = 'names', quiet = 'boolean', since_ms = 'number', memory = 'number', paused = 'boolean', jobs = 'jobs',
  heard = 'number',
}
local JOB = { jid = 'text', kind = 'text', queue = 'text', since_ms = 'number' }
local MAX_STATUS, MAX_NAMES, MAX_JOBS, ORDER_MS = 1048576, 1000, 100, 60000
local STATUS_SECONDS, SWEEP_EVERY_MS = '86400', '900'

local function check_members(object, known)
  for name, kind in pairs(known) do
    local value = object[name]
    if value ~= nil and kind == 'text' then
      check.note(value, name, MAX_NAME)
    elseif value ~= nil and kind == 'number' then
      check.integer(value, name, 0, 2 ^ 53)
    elseif value ~= nil and kind == 'names' then
      check.names(value, name, MAX_NAMES)
    end
  end
end

local function check_jobs(jobs)
  if type(jobs) ~= 'table' or #jobs == 0 and next(jobs) ~= nil then
    fail('INVALID_ARGUMENT', 'jobs must be a list')
  end
  if #jobs > MAX_JOBS then
    fail('INVALID_ARGUMENT', 'jobs has ' .. #jobs .. ' entries, at most ' .. MAX_JOBS .. ' are allowed')
  end
  for _, job in ipairs(jobs) do
    if type(job) ~= 'table' then
      fail('INVALID_ARGUMENT', 'jobs must be a list of objects')
    end
    check_members(job, JOB)
  end
end

-- What others read, they must be able to read.
local function parse_status(given)
  if #given > MAX_STATUS then
    fail('INVALID_ARGUMENT', 'status has ' .. #given .. ' bytes, at most ' .. MAX_STATUS .. ' are allowed')
  end
  local status = check.object(given, 'status', STATUS)
  check_members(status, STATUS)
  if status.jobs ~= nil then
    check_jobs(status.jobs)
  end
  return status
end

local function note_kinds(kinds)
  local pairs_of_kinds = {}
  for _, kind in ipairs(kinds) do
    pairs_of_kinds[#pairs_of_kinds + 1] = now_text
    pairs_of_kinds[#pairs_of_kinds + 1] = kind
  end
  call_sliced('ZADD', keys.kinds(), pairs_of_kinds, 2)
end

local function sweep_in_turn()
  if call('SET', keys.swept(), '1', 'NX', 'PX', SWEEP_EVERY_MS) then
    sweep.step(MAX_SWEEP)
  end
end

-- The answer that carries an order may be lost: it is told until the worker says that it heard of it.
local function orders_after(heard, worker)
  local key = keys.orders(worker)
  local from = max(heard or 0, now - ORDER_MS)
  local told = call('ZRANGE', key, '(' .. text(from), '+inf', 'BYSCORE', 'WITHSCORES')
  if not heard and told[1] then
    call('DEL', key)
  end
  local orders = {}
  for index = 1, #told, 2 do
    orders[#orders + 1] = told[index]
  end
  return orders, tonumber(told[#told] or 0)
end

operation('worker_pulse', 'write', function(argv)
  local worker = check.name(argv[3], 'worker')
  local status = parse_status(argv[4])
  local jids, tokens = lease.parse(argv, 5)
  reserve.refuse_lost(worker)
  state.begin()
  state.load_all(jids)
  local reply = {}
  for index, jid in ipairs(jids) do
    local job, lost = lease.held(jid, tokens[index])
    if job then
      lease.renew(job, 2 / 3)
    end
    reply[index] = lost or ''
  end
  state.commit()
  call('ZADD', keys.workers(), now_text, worker)
  call('SET', keys.worker(worker), argv[4] == '' and '{}' or argv[4], 'EX', STATUS_SECONDS)
  note_kinds(status.kinds or {})
  sweep_in_turn()
  local orders, last = orders_after(status.heard, worker)
  return { reply, orders, queues.version(), last }
end, nil, true)
