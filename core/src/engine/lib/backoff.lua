-- How long a job waits after an error, by the number of its errors: milliseconds; a list of them, one after the other; or an
-- object of `first`, `factor`, `most` and `jitter`, or of `list` and `jitter`.
local backoff = {}

local MAX_WAITS, MAX_FACTOR = 64, 1000
local GROWING = { first = true, factor = true, most = true, jitter = true }
local LISTED = { list = true, jitter = true }

-- Zero has no sign: not every language reads one.
local function span(value, name)
  return check.span(value, name) + 0
end

local function list(waits, name)
  if type(waits) ~= 'table' or #waits == 0 then
    fail('INVALID_ARGUMENT', name .. ' must be a list of milliseconds')
  elseif #waits > MAX_WAITS then
    fail('INVALID_ARGUMENT', name .. ' has ' .. #waits .. ' entries, at most ' .. MAX_WAITS .. ' are allowed')
  end
  local spans = {}
  for index = 1, #waits do
    spans[index] = span(waits[index], name .. '[' .. (index - 1) .. ']')
  end
  return spans
end

-- The member, or what it is when it is not said.
local function member(value, name, default, parse, ...)
  if value[name] == nil then
    return default
  end
  return parse(value[name], 'backoff_ms.' .. name, ...)
end

local function object(value)
  if value.list then
    check.members(value, 'backoff_ms', LISTED)
    return { list = list(value.list, 'backoff_ms.list'), jitter = member(value, 'jitter', 0, check.number, 0, 1) }
  end
  check.members(value, 'backoff_ms', GROWING)
  return {
    first = span(value.first, 'backoff_ms.first'),
    factor = member(value, 'factor', 2, check.number, 1, MAX_FACTOR),
    most = member(value, 'most', 3600000, span),
    jitter = member(value, 'jitter', 0.1, check.number, 0, 1),
  }
end

-- As JSON, an object with all of its members: only whoever performs the job looks into it. nil of nil.
function backoff.parse(value)
  if value == nil then
    return nil
  elseif type(value) == 'number' then
    return encode_json(span(value, 'backoff_ms'))
  elseif type(value) ~= 'table' then
    fail('INVALID_ARGUMENT', 'backoff_ms must be milliseconds, a list of them or an object')
  end
  return encode_json(#value > 0 and list(value, 'backoff_ms') or object(value))
end

return backoff
