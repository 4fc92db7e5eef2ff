-- queue_put: places jobs in queues, in the order given; one bad item refuses the whole call.
--
-- args    items of  jid      text     1-255 bytes
--                   queue    text     1-255 bytes
--                   kind     text     1-255 bytes, names the handler
--                   data     text     JSON, at most max-data bytes; stored as it is
--                   options  text     '' or a JSON object: priority -128..127 (0), delay_ms (0), retries 0..255 (5),
--                                     tags (at most 32), route (queues of the later stages, at most 64),
--                                     on_conflict replace | keep | reject | move (replace)
-- reply   per item  put | replaced | kept | exists
--                   A jid that exists: replace (kept while it runs), keep, reject (exists), move (replace even while it runs).
-- errors  INVALID_ARGUMENT
-- keys    {ns}:job:<jid> {ns}:data:<jid> {ns}:waiting:<q> {ns}:scheduled:<q> {ns}:due {ns}:queues {ns}:wake:<q> {ns}:queues:wake {ns}:seq
local WIDTH, MAX_TAGS, MAX_ROUTE, MAX_RETRIES = 5, 32, 64, 255
local OPTIONS = { priority = true, delay_ms = true, retries = true, tags = true, route = true, on_conflict = true }
local ON_CONFLICT = { replace = true, keep = true, reject = true, move = true }

local function parse_options(value)
  local options = check.object(value, 'options', OPTIONS)
  local on_conflict = options.on_conflict or 'replace'
  if not ON_CONFLICT[on_conflict] then
    fail('INVALID_ARGUMENT', 'on_conflict must be replace, keep, reject or move')
  end
  local tags = check.names(options.tags or {}, 'tags', MAX_TAGS)
  local route = check.names(options.route or {}, 'route', MAX_ROUTE)
  local retries = check.integer(options.retries or RETRIES_DEFAULT, 'retries', 0, MAX_RETRIES)
  return {
    priority = check.integer(options.priority or 0, 'priority', -128, 127),
    delay_ms = check.span(options.delay_ms or 0, 'delay_ms'),
    retries = retries ~= RETRIES_DEFAULT and retries or nil,
    tags = #tags > 0 and tags or nil,
    route = #route > 0 and route or nil,
    on_conflict = on_conflict,
  }
end

local PLAIN = { priority = 0, delay_ms = 0, on_conflict = 'replace' }

-- What to answer when `jid` exists already, or nil to put.
local function conflict(existing, on_conflict)
  local running = existing[STATE] == RUNNING
  if on_conflict == 'keep' or (on_conflict == 'replace' and running) then
    return 'kept'
  elseif on_conflict == 'reject' then
    return 'exists'
  end
end

local function put(jid, queue, kind, data, options)
  local existing = state.load(jid)
  local refusal = existing and conflict(existing, options.on_conflict)
  if refusal then
    return refusal
  end
  local token = existing and existing[TOKEN]
  local job = state.create(jid, kind, queue, options.priority, data)
  if options ~= PLAIN then
    record.set_rare(job, RETRIES, options.retries)
    record.set_rare(job, TAGS, options.tags)
    record.set_rare(job, ROUTE, options.route)
  end
  if token then
    record.set_run(job, token)
    record.set_rare(job, LOST_REASON, 'r')
  end
  state.wait_after(job, options.delay_ms)
  return existing and 'replaced' or 'put'
end

-- The jids are checked as they are loaded; nothing is written before the last item was checked.
operation('queue_put', 'grow', function(argv)
  local count = check.items(argv, 3, WIDTH)
  local jids, reply = {}, {}
  for index = 1, count do
    jids[index] = argv[3 + (index - 1) * WIDTH]
  end
  state.begin()
  state.load_all(jids)
  local max_data, seen = config.get('max-data'), {}
  for index = 1, count do
    local at = 3 + (index - 1) * WIDTH
    local jid, queue, kind, data, options = unpack(argv, at, at + WIDTH - 1)
    if not (seen[queue] and seen[kind]) then
      check.name(queue, 'queue', seen)
      check.name(kind, 'kind', seen)
    end
    if data == '' or #data > max_data then
      local place = count > 1 and 'jobs[' .. (index - 1) .. '].' or ''
      fail('INVALID_ARGUMENT', place .. 'data has ' .. #data .. ' bytes, 1 to ' .. max_data .. ' are allowed')
    end
    reply[index] = put(jid, queue, kind, data, options == '' and PLAIN or parse_options(options))
  end
  state.commit()
  return reply
end)
