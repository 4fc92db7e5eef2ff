-- The settings: one table says every name, its default, range, and whether it is a span or per queue.
local config = {}

local DAY_MS = 86400000

local settings = {
  ['heartbeat'] = { default = 60000, least = 100, most = DAY_MS, span = true, per_queue = true },
  ['grace-period'] = { default = 10000, least = 0, most = DAY_MS, span = true, per_queue = true },
  ['jobs-history'] = { default = 7 * DAY_MS, least = 60000, most = check.LONGEST_MS, span = true },
  ['jobs-history-count'] = { default = 50000, least = 0, most = 1e9 },
  ['stats-history'] = { default = 30 * DAY_MS, least = DAY_MS, most = check.LONGEST_MS, span = true },
  ['max-worker-age'] = { default = DAY_MS, least = 60000, most = check.LONGEST_MS, span = true },
  ['max-data'] = { default = 1048576, least = 1, most = 1048576 },
}

-- Kept in {ns}:meta, which every call reads.
local TEST_CLOCK, EVENTS = 'test-clock', 'events'

local function field(name, queue)
  return queue and (name .. ':' .. queue) or name
end

-- What is known of a setting; nothing of those in meta.
local function known(name, queue)
  local in_meta = name == TEST_CLOCK or name == EVENTS
  local setting = not in_meta and settings[name] or nil
  if not setting and not in_meta then
    fail('INVALID_ARGUMENT', 'name ' .. tostring(name) .. ' is not a setting')
  end
  if queue and not (setting and setting.per_queue) then
    fail('INVALID_ARGUMENT', 'queue: ' .. name .. ' is not set per queue')
  end
  return setting
end

-- The value in force: of the queue, else of all queues, else the default. Spans in ms.
function config.get(name, queue)
  if not uses.has('settings') then
    return settings[name].default
  elseif queue then
    local values = call('HMGET', keys.config(), field(name, queue), name)
    return tonumber(values[1] or values[2] or settings[name].default)
  end
  return tonumber(call('HGET', keys.config(), name) or settings[name].default)
end

local function milliseconds_per(unit)
  if unit == nil or unit == 'ms' then
    return 1
  end
  if unit == 's' then
    return 1000
  end
  fail('INVALID_ARGUMENT', "unit must be 's' or 'ms'")
end

-- For the operation config_get: the value in the asked unit.
function config.read(name, queue, unit)
  local per_unit, setting = milliseconds_per(unit), known(name, queue)
  if name == TEST_CLOCK then
    return meta.clock and tonumber(meta.clock) or 'off'
  elseif name == EVENTS then
    return meta.events or 'tracked'
  end
  local value = config.get(name, queue)
  if setting.span and per_unit ~= 1 then
    return { double = value / per_unit }
  end
  return value
end

local function set_clock(value)
  if value == nil or value == 'off' then
    call('HDEL', meta.key, 'clock')
  else
    call('HSET', meta.key, 'clock', text(check.integer(value, 'value', 0, 2 ^ 43)))
  end
end

local function set_events(value)
  if value == nil or value == 'tracked' then
    call('HDEL', meta.key, EVENTS)
  elseif value == 'all' then
    call('HSET', meta.key, EVENTS, value)
  else
    fail('INVALID_ARGUMENT', 'value of events must be tracked or all')
  end
end

-- For the operation config_all: every setting in force for all queues, and what queues have of their own.
function config.read_all(unit)
  local per_unit = milliseconds_per(unit)
  local function in_unit(name, value)
    value = tonumber(value)
    return settings[name].span and per_unit ~= 1 and { double = value / per_unit } or value
  end
  local flat, stored, own = call('HGETALL', keys.config()), {}, {}
  for index = 1, #flat, 2 do
    local name, queue = match(flat[index], '^([^:]+):(.*)$')
    if name then
      own[queue] = own[queue] or { map = {} }
      own[queue].map[name] = in_unit(name, flat[index + 1])
    else
      stored[flat[index]] = flat[index + 1]
    end
  end
  local values = { [EVENTS] = config.read(EVENTS), [TEST_CLOCK] = config.read(TEST_CLOCK) }
  local defaults = { [EVENTS] = 'tracked', [TEST_CLOCK] = 'off' }
  for name, setting in pairs(settings) do
    values[name] = in_unit(name, stored[name] or setting.default)
    defaults[name] = in_unit(name, setting.default)
  end
  return { map = { values = { map = values }, defaults = { map = defaults }, queues = { map = own } } }
end

-- Drops what is set for a queue alone.
function config.forget_queue(queue)
  for name, setting in pairs(settings) do
    if setting.per_queue then
      call('HDEL', keys.config(), field(name, queue))
    end
  end
  uses.cease_without('settings', keys.config())
end

-- For the operation config_set: nil puts the default back.
function config.write(name, queue, value, unit)
  local per_unit, setting = milliseconds_per(unit), known(name, queue)
  if name == TEST_CLOCK then
    return set_clock(value)
  elseif name == EVENTS then
    return set_events(value)
  end
  if value == nil then
    call('HDEL', keys.config(), field(name, queue))
    uses.cease_without('settings', keys.config())
    return
  end
  if type(value) ~= 'number' then
    fail('INVALID_ARGUMENT', 'value must be a number')
  end
  if setting.span then
    local given = value
    value = floor(given * per_unit + 0.5)
    if per_unit ~= 1 and (value < setting.least or value > setting.most) then
      local range = format('%.14g is outside %.14g..%.14g s', given, setting.least / per_unit, setting.most / per_unit)
      fail('INVALID_ARGUMENT', 'value of ' .. name .. ' ' .. range)
    end
  end
  check.integer(value, 'value of ' .. name, setting.least, setting.most)
  uses.begin('settings')
  call('HSET', keys.config(), field(name, queue), text(value))
end

return config
