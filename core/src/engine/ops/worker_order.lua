-- worker_order: asks workers to take no more jobs for good, but live on (quiet), for now (pause), to take them again (resume), or
-- to end as soon as their jobs have (stop). They learn it with their next pulse, oldest first; of two that are the same they learn
-- the later. An order not fetched within a minute is dropped.
--
-- args    JSON  worker  text, a worker's name, or *: the 1000 last heard of within a minute
--               order   quiet | pause | resume | stop
-- reply   integer  how many workers will get it: 0 when the one named is not known, or is lost
-- errors  INVALID_ARGUMENT
-- keys    {ns}:workers {ns}:orders:<name>
local ORDERS = { quiet = true, pause = true, resume = true, stop = true }
local KEPT_SECONDS, KEPT_MS, MOST_WORKERS = '60', 60000, '1000'

local function ordered(worker)
  if worker == '*' then
    return call('ZRANGE', keys.workers(), '+inf', text(max(0, now - KEPT_MS)), 'BYSCORE', 'REV', 'LIMIT', '0', MOST_WORKERS)
  end
  local heard = call('ZSCORE', keys.workers(), worker)
  return heard and tonumber(heard) >= 0 and { worker } or {}
end

-- Numbered by the clock, and upwards: pulses say by the number which one they heard of.
local function give(worker, order)
  local key = keys.orders(worker)
  local last = call('ZRANGE', key, '-1', '-1', 'WITHSCORES')[2]
  call('ZADD', key, text(max(now, tonumber(last or 0) + 1)), order)
  call('EXPIRE', key, KEPT_SECONDS)
end

operation('worker_order', 'write', function(argv)
  local args = check.object(argv[3], 'args', { worker = true, order = true })
  local worker = check.name(args.worker, 'worker')
  if not ORDERS[check.name(args.order, 'order')] then
    fail('INVALID_ARGUMENT', 'order ' .. args.order .. ' is not one of quiet, pause, resume, stop')
  end
  local workers = ordered(worker)
  for _, name in ipairs(workers) do
    give(name, args.order)
  end
  return #workers
end)
