-- worker_list: the workers that were heard of within `max-worker-age`, the last heard first, by pages.
--
-- args    JSON  offset   integer  0 or more (0)
--               limit    integer  1..100 (25)
-- reply   map   total  integer; workers  list of maps: worker, silent_ms (since its last pulse), lost (declared so by its
--               supervisor), running stalled  integers, its jobs in hand; status  what its pulse says, or null
-- errors  INVALID_ARGUMENT
-- keys    {ns}:workers {ns}:worker:<name> {ns}:worker-jobs:<name>
local function view_of(worker, score)
  local key = keys.worker_jobs(worker)
  local stalled = call('ZCOUNT', key, '-inf', now_text)
  local status = call('GET', keys.worker(worker))
  return {
    map = {
      worker = worker,
      silent_ms = max(0, now - (score < 0 and -score or score)),
      lost = score < 0,
      running = call('ZCARD', key) - stalled,
      stalled = stalled,
      status = status and view.json(status) or null,
    },
  }
end

operation('worker_list', 'read', function(argv)
  local args = check.object(argv[3], 'args', page.arguments({}))
  local offset, limit = page.parse(args)
  if limit > 100 then
    fail('INVALID_ARGUMENT', 'limit ' .. limit .. ' is outside 1..100')
  end
  local list = {}
  for index, pair in ipairs(page.scored(keys.workers(), offset, limit, true)) do
    list[index] = view_of(pair[1], pair[2])
  end
  return { map = { total = call('ZCARD', keys.workers()), workers = list } }
end)
