-- Recurring jobs: {ns}:template:<jid> says what is put every interval, {ns}:recurring:<q> when next.
local recurring = {}

local KIND_AT, QUEUE_AT, DATA_AT, INTERVAL, NEXT, COUNT, BACKLOG, PAUSED, OPTIONS = 1, 2, 3, 4, 5, 6, 7, 8, 9
local LONGEST_JID = 235 -- what is put is called <jid>-<count>
local MAX_BACKLOG = 1e9
local MAX_TRIES = 1000

recurring.SETTINGS = { 'interval_ms', 'kind', 'data', 'queue', 'backlog' }

-- A template in hand is its packed fields by name, and `jid`.
local function decode(jid, stored)
  local fields = unpack_all(stored)
  return {
    jid = jid, kind = fields[KIND_AT], queue = fields[QUEUE_AT], data = fields[DATA_AT], interval_ms = fields[INTERVAL],
    next_at = fields[NEXT], count = fields[COUNT], backlog = fields[BACKLOG], paused = fields[PAUSED], options = fields[OPTIONS],
  }
end

function recurring.jid(value)
  local jid = check.name(value, 'jid')
  if #jid > LONGEST_JID then
    fail('INVALID_ARGUMENT', 'jid has ' .. #jid .. ' bytes, at most ' .. LONGEST_JID .. ' are allowed for a recurring job')
  end
  return jid
end

function recurring.load(jid)
  local stored = call('GET', keys.template(jid))
  return stored and decode(jid, stored)
end

-- The template that has to be there.
function recurring.existing(jid)
  local template = recurring.load(check.name(jid, 'jid'))
  if not template then
    fail('JOB_NOT_FOUND', 'there is no recurring job ' .. jid)
  end
  return template
end

-- Writes when its queue has something due, and the template; a key of another type is met first.
function recurring.save(template)
  local queue = template.queue
  if template.paused then
    call('ZADD', keys.recurring(queue), '+inf', template.jid)
  else
    call('ZADD', keys.recurring(queue), text(template.next_at), template.jid)
    call('ZADD', keys.due(), 'LT', text(template.next_at), queue)
  end
  call('SET', keys.template(template.jid), pack({
    template.kind, queue, template.data, template.interval_ms, template.next_at, template.count, template.backlog, template.paused,
    template.options,
  }))
end

-- The same, and it leaves the queue that it was in; nil when it was in none.
function recurring.move(template, old_queue)
  recurring.save(template)
  if old_queue and old_queue ~= template.queue then
    call('ZREM', keys.recurring(old_queue), template.jid)
  end
  queues.know(template.queue)
  queues.wake(template.queue)
end

function recurring.forget(template)
  call('ZREM', keys.recurring(template.queue), template.jid)
  call('DEL', keys.template(template.jid))
end

-- Of the arguments of recurring_put and recurring_update: the fields that are given, checked.
function recurring.parse(args)
  local fields = { options = {} }
  if args.interval_ms ~= nil then
    fields.interval_ms = check.integer(args.interval_ms, 'interval_ms', 1, check.LONGEST_MS)
  end
  fields.kind = args.kind ~= nil and check.name(args.kind, 'kind') or nil
  fields.queue = args.queue ~= nil and check.name(args.queue, 'queue') or nil
  if args.data ~= nil then
    fields.data = put_options.check_data(args.data, config.get('max-data'), 'data')
  end
  if args.backlog ~= nil then
    fields.backlog = check.integer(args.backlog, 'backlog', 0, MAX_BACKLOG)
  end
  local parsed = put_options.parse(args)
  for _, name in ipairs(put_options.SHARED) do
    if args[name] ~= nil then
      fields.options[name] = parsed[name]
    end
  end
  return fields
end

function recurring.view(template)
  local options = template.options
  return {
    map = {
      jid = template.jid, kind = template.kind, queue = template.queue, data = view.json(template.data),
      interval_ms = template.interval_ms, backlog = template.backlog, count = template.count, paused = template.paused,
      next_at_ms = template.paused and null or template.next_at,
      priority = options.priority or 0, retries = options.retries or RETRIES_DEFAULT, tags = options.tags or {},
      throttles = options.throttles or {}, route = options.route or {}, headers = view.headers(options.headers),
      timeout_ms = options.timeout_ms or null, backoff_ms = view.json(options.backoff_ms or 'null'),
    },
  }
end

-- A recurring job goes on at the first of its instants that is still to come.
function recurring.skip_missed(template)
  if template.next_at <= now then
    template.next_at = template.next_at + (floor((now - template.next_at) / template.interval_ms) + 1) * template.interval_ms
  end
end

-- Of those missed, no more than the backlog are made up for.
local function skip_surplus(template)
  local missed = floor((now - template.next_at) / template.interval_ms) + 1
  if template.backlog > 0 and missed > template.backlog then
    template.next_at = template.next_at + (missed - template.backlog) * template.interval_ms
  end
end

-- The next number whose job does not exist: a recurring job that was cancelled and put again finds those of its past. nil when
-- too many do; the next step looks further.
local function free_jid(template)
  for _ = 1, MAX_TRIES do
    template.count = template.count + 1
    local jid = template.jid .. '-' .. text(template.count)
    if not state.load(jid) then
      return jid
    end
  end
end

local function put_one(template)
  local jid, options = free_jid(template), template.options
  if not jid then
    return false
  end
  local job = state.create(jid, template.kind, template.queue, options.priority or 0, template.data)
  put_options.apply(job, options)
  record.set_rare(job, PARENT, template.jid)
  state.wait(job, template.next_at)
  template.next_at = template.next_at + template.interval_ms
  return true
end

-- Puts what the queue's recurring jobs are due to put, at most `limit`; how many.
function recurring.step(queue, limit)
  local moved = 0
  for _, jid in ipairs(call('ZRANGEBYSCORE', keys.recurring(queue), '-inf', now_text, 'LIMIT', '0', text(limit))) do
    local template = recurring.load(jid)
    if not template or template.queue ~= queue then
      call('ZREM', keys.recurring(queue), jid)
    else
      skip_surplus(template)
      while template.next_at <= now and moved < limit and put_one(template) do
        moved = moved + 1
      end
      state.later(function()
        recurring.save(template)
      end)
    end
    if moved >= limit then
      break
    end
  end
  return moved
end

return recurring
