-- job_list: the jobs of a queue in one state, by pages.
--
-- args    JSON  state    text     running stalled scheduled blocked throttled waiting recurring, or completed (of all queues)
--               queue    text     needed unless state is completed
--               offset   integer  0 or more (0)
--               limit    integer  1..250 (25)
-- reply   map   total  integer; jids  list, next to run, to become due or to expire first; completed: latest first
-- errors  INVALID_ARGUMENT
-- keys    {ns}:waiting:<q> {ns}:scheduled:<q> {ns}:blocked:<q> {ns}:throttled:<q> {ns}:running:<q> {ns}:lease:<token>:<q> {ns}:leases:<q>
--         {ns}:leased:<q> {ns}:grace:<q> {ns}:recurring:<q> {ns}:completed
local STATES = {
  waiting = true, running = true, stalled = true, scheduled = true, blocked = true, throttled = true, recurring = true,
}
local plain = { waiting = keys.waiting, blocked = keys.blocked, throttled = keys.throttled, recurring = keys.recurring }

-- The lease ended: those in grace, then those that nobody has looked at since.
local function stalled(queue, offset, limit)
  local grace = keys.grace(queue)
  local in_grace, expired = call('ZCARD', grace), queues.expired(queue)
  local jids = offset < in_grace and page.members(grace, offset, limit) or {}
  if #jids < limit and expired > 0 then
    local first = max(0, offset - in_grace)
    local count = min(limit - #jids, expired - first)
    for _, jid in ipairs(count > 0 and queues.running(queue, first, count) or {}) do
      jids[#jids + 1] = jid
    end
  end
  return { map = { total = in_grace + expired, jids = jids } }
end

local function running(queue, offset, limit)
  local expired = queues.expired(queue) -- they stand before the others
  return { map = { total = shared.running(queue) - expired, jids = queues.running(queue, expired + offset, limit) } }
end

operation('job_list', 'read', function(argv)
  local args = check.object(argv[3], 'args', page.arguments({ state = true, queue = true }))
  if args.state == 'completed' then
    if args.queue then
      fail('INVALID_ARGUMENT', 'queue: completed jobs are listed for all queues together')
    end
    return page.jids(keys.completed(), args, true)
  end
  if not STATES[args.state or ''] then
    fail('INVALID_ARGUMENT', 'state must be waiting, running, stalled, scheduled, blocked, throttled, recurring or completed')
  end
  local queue = check.name(args.queue, 'queue')
  local offset, limit = page.parse(args)
  if args.state == 'stalled' then
    return stalled(queue, offset, limit)
  elseif args.state == 'running' then
    return running(queue, offset, limit)
  elseif args.state == 'scheduled' then
    local key = keys.scheduled(queue)
    return { map = { total = call('ZCARD', key), jids = place.jids_of(page.members(key, offset, limit)) } }
  end
  return page.jids(plain[args.state](queue), args)
end)
