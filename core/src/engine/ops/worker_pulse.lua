-- worker_pulse: at least once a second a worker process says that it lives and which jobs it holds.
--
-- Renews the leases that are past a third of their length, tells which jobs are lost, keeps the
-- worker's status for others to see, and sweeps what is due unless another worker did within the second.
--
-- args    worker   text     its name
--         status   text     JSON object of at most 1 MiB, which the largest worker fits in: language version host (texts up to
--                           255 bytes) pid threads running since_ms (how long it lives) memory (bytes; whole numbers) queues
--                           kinds (lists of up to 1000 names) quiet paused (booleans) jobs (list of up to 100 of those it
--                           performs: jid kind queue, texts, since_ms, how long)
--         then items of  jid    text
--                        token  text
-- reply   list per item ('' or LOCK_LOST <reason>), list of orders (see worker_order), queues_version
-- errors  INVALID_ARGUMENT, WRONG_STATE (the worker was declared lost)
-- keys    {ns}:workers {ns}:worker:<name> {ns}:kinds {ns}:job:<jid> {ns}:running:<q> {ns}:grace:<q> {ns}:due {ns}:swept
--         {ns}:orders:<name> and those of sweep
local STATUS = {
  language = 'text', version = 'text', host = 'text', pid = 'number', threads = 'number', running = 'number', queues = 'names',
  kinds = 'names', quiet = 'boolean', since_ms = 'number', memory = 'number', paused = 'boolean', jobs = 'jobs',
}
local JOB = { jid = 'text', kind = 'text', queue = 'text', since_ms = 'number' }
local MAX_STATUS, MAX_NAMES, MAX_JOBS, MAX_ORDERS = 1048576, 1000, 100, '100'
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
  return { reply, call('LPOP', keys.orders(worker), MAX_ORDERS) or {}, meta.queues_version }
end, nil, true)
