-- worker_list: the workers that were heard of within `max-worker-age`, the last heard first, the lost ones last, by pages.
--
-- args    JSON  offset   integer  0 or more (0)
--               limit    integer  1..100 (25)
-- reply   map   total  integer; workers  list of maps: worker, silent_ms (since its last pulse), lost (declared so by its
--               supervisor), running stalled  integers, its jobs in hand; status  what its pulse says, or null;
--               rest  null, or the offset and limit to ask with for those that are left out, as these have more than 1 MiB
-- errors  INVALID_ARGUMENT
-- keys    {ns}:workers {ns}:worker:<name> {ns}:worker-jobs:<name> {ns}:worker-leases:<name> {ns}:lease:<token>:<q> {ns}:config
local function view_of(pair)
  local worker, score = pair[1], pair[2]
  local stalled = shared.held_by(worker, now_text)
  local status = call('GET', keys.worker(worker))
  return {
    map = {
      worker = worker,
      silent_ms = max(0, now - (score < 0 and -score or score)),
      lost = score < 0,
      running = shared.held_by(worker, '+inf') - stalled,
      stalled = stalled,
      status = status and view.json(status) or null,
    },
  }, status and #status
end

operation('worker_list', 'read', function(argv)
  local args = check.object(argv[3], 'args', page.arguments({}))
  local offset, limit = page.parse(args)
  if limit > 100 then
    fail('INVALID_ARGUMENT', 'limit ' .. limit .. ' is outside 1..100')
  end
  local key, oldest = keys.workers(), now - config.get('max-worker-age')
  local alive, lost = { text(oldest), '+inf' }, { '-inf', text(-oldest) }
  local count = call('ZCOUNT', key, alive[1], alive[2])
  local found = {}
  local function add(flat)
    for index = 1, #flat, 2 do
      found[#found + 1] = { flat[index], tonumber(flat[index + 1]) }
    end
  end
  add(call('ZRANGE', key, alive[2], alive[1], 'BYSCORE', 'REV', 'LIMIT', text(offset), text(limit), 'WITHSCORES'))
  if #found < limit then
    local skipped = text(max(0, offset - count))
    add(call('ZRANGE', key, lost[1], lost[2], 'BYSCORE', 'LIMIT', skipped, text(limit - #found), 'WITHSCORES'))
  end
  local list, rest = page.shown(found, offset, view_of)
  return { map = { total = count + call('ZCOUNT', key, lost[1], lost[2]), workers = list, rest = rest } }
end)
