-- Saved lists of queue patterns: names for lists (@name), and the order in which queues are served.
local patterns = {}

local MOST = 256

local function check_identifiers(identifiers)
  if type(identifiers) ~= 'table' or #identifiers > 0 then
    fail('INVALID_ARGUMENT', 'identifiers must be a map of lists')
  end
  local count = 0
  for name, list in pairs(identifiers) do
    count = count + 1
    check.name(name, 'identifiers')
    check.some_names(list, 'identifiers.' .. name, MOST)
  end
  if count > MOST then
    fail('INVALID_ARGUMENT', 'identifiers has ' .. count .. ' names, at most ' .. MOST .. ' are allowed')
  end
end

local function check_priorities(priorities)
  if type(priorities) ~= 'table' or #priorities > MOST or (#priorities == 0 and next(priorities) ~= nil) then
    fail('INVALID_ARGUMENT', 'priorities must be a list of at most ' .. MOST .. ' maps')
  end
  for index, one in ipairs(priorities) do
    local name = 'priorities[' .. (index - 1) .. ']'
    if type(one) ~= 'table' then
      fail('INVALID_ARGUMENT', name .. ' must be a map of patterns and fair')
    end
    for key in pairs(one) do
      if key ~= 'patterns' and key ~= 'fair' then
        fail('INVALID_ARGUMENT', name .. ' has the unknown key ' .. tostring(key))
      end
    end
    check.some_names(one.patterns, name .. '.patterns', MOST)
    if one.fair ~= nil and type(one.fair) ~= 'boolean' then
      fail('INVALID_ARGUMENT', name .. '.fair must be true or false')
    end
  end
end

-- For pattern_set: what is nil stays.
function patterns.write(identifiers, priorities)
  if identifiers == nil and priorities == nil then
    fail('INVALID_ARGUMENT', 'identifiers and priorities: give one of them, or both')
  end
  if identifiers ~= nil then
    check_identifiers(identifiers)
  end
  if priorities ~= nil then
    check_priorities(priorities)
  end
  for name, value in pairs({ identifiers = identifiers, priorities = priorities }) do
    call('HSET', keys.patterns(), name, pack(value))
  end
end

-- For pattern_get.
function patterns.read()
  local stored = call('HMGET', keys.patterns(), 'identifiers', 'priorities')
  local priorities = {}
  for index, one in ipairs(stored[2] and unpack_all(stored[2]) or {}) do
    priorities[index] = { map = { patterns = one.patterns, fair = one.fair or false } }
  end
  return { map = { identifiers = { map = stored[1] and unpack_all(stored[1]) or {} }, priorities = priorities } }
end

return patterns
