-- worker_pulse: at least once a second a worker process says that it lives and which jobs it holds.
--
-- Renews the leases that are past a third of their length, tells which jobs are lost, keeps the
-- worker's status for others to see, and sweeps what is due unless another worker did within the second.
--
-- args    worker   text     its name
--         status   text     JSON object: language version host pid threads queues kinds running quiet
--         then items of  jid    text
--                        token  text
-- reply   list per item ('' or LOCK_LOST <reason>), list of orders (texts), queues_version
-- errors  INVALID_ARGUMENT, WRONG_STATE (the worker was declared lost)
-- keys    {ns}:workers {ns}:worker:<name> {ns}:kinds {ns}:job:<jid> {ns}:running:<q> {ns}:grace:<q> {ns}:due {ns}:swept
--         and those of sweep
local STATUS = {
  language = true, version = true, host = true, pid = true, threads = true, queues = true, kinds = true, running = true, quiet = 'boolean',
}
local MAX_KINDS, STATUS_SECONDS, SWEEP_LIMIT, SWEEP_EVERY_MS = 1000, '86400', 200, '900'

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
    sweep.step(SWEEP_LIMIT)
  end
end

operation('worker_pulse', 'write', function(argv)
  local worker = check.name(argv[3], 'worker')
  local status = check.object(argv[4], 'status', STATUS)
  local kinds = check.names(status.kinds or {}, 'kinds', MAX_KINDS)
  if status.queues ~= nil and type(status.queues) ~= 'table' then
    fail('INVALID_ARGUMENT', 'queues must be a list of texts')
  end
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
  call('SET', keys.worker(worker), argv[4], 'EX', STATUS_SECONDS)
  note_kinds(kinds)
  sweep_in_turn()
  return { reply, {}, meta.queues_version }
end, nil, true)
