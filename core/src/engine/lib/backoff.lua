-- How long a job waits after an error, by the number of its errors: milliseconds; a list of them, one after the other; or an
-- object of `first`, `factor`, `most` and `jitter`, or of `list` and `jitter`.
local backoff = {}

local MAX_WAITS, MAX_FACTOR = 64, 1000
local GROWING = { first = true, factor = true, most = true, jitter = true }
local LISTED = { list = true, jitter = true }

local function check_list(waits, name)
  if type(waits) ~= 'table' or #waits == 0 then
    fail('INVALID_ARGUMENT', name .. ' must be a list of milliseconds')
  elseif #waits > MAX_WAITS then
    fail('INVALID_ARGUMENT', name .. ' has ' .. #waits .. ' entries, at most ' .. MAX_WAITS .. ' are allowed')
  end
  for index = 1, #waits do
    check.span(waits[index], name .. '[' .. (index - 1) .. ']')
  end
end

local function check_object(value)
  check.members(value, 'backoff_ms', value.list and LISTED or GROWING)
  if value.list then
    check_list(value.list, 'backoff_ms.list')
  else
    check.span(value.first, 'backoff_ms.first')
    check.span(value.most or 0, 'backoff_ms.most')
    check.number(value.factor or 1, 'backoff_ms.factor', 1, MAX_FACTOR)
  end
  check.number(value.jitter or 0, 'backoff_ms.jitter', 0, 1)
end

-- As JSON, checked: only whoever performs the job looks into it. nil of nil.
function backoff.parse(value)
  if value == nil then
    return nil
  elseif type(value) == 'number' then
    check.span(value, 'backoff_ms')
  elseif type(value) ~= 'table' then
    fail('INVALID_ARGUMENT', 'backoff_ms must be milliseconds, a list of them or an object')
  elseif #value > 0 then
    check_list(value, 'backoff_ms')
  else
    check_object(value)
  end
  return encode_json(value)
end

return backoff
