-- Argument checks. Each names the argument, and runs before anything is written.
local check = {}

local function refuse(name, problem)
  fail('INVALID_ARGUMENT', name .. ' ' .. problem)
end

-- Batches repeat tokens: the last one read is kept.
local last_token, last_token_number

-- Whether a text is UTF-8: every sequence beyond ASCII is one that RFC 3629 allows.
local SEQUENCES = {
  '[\194-\223][\128-\191]', '\224[\160-\191][\128-\191]', '[\225-\236][\128-\191][\128-\191]', '\237[\128-\159][\128-\191]',
  '[\238-\239][\128-\191][\128-\191]', '\240[\144-\191][\128-\191][\128-\191]',
  '[\241-\243][\128-\191][\128-\191][\128-\191]', '\244[\128-\143][\128-\191][\128-\191]',
}

local function is_utf8(value)
  for index = 1, #SEQUENCES do
    if not find(value, '[\128-\255]') then
      return true
    end
    value = value:gsub(SEQUENCES[index], ' ')
  end
  return not find(value, '[\128-\255]')
end

-- Names that were found good: most come again.
local good_names, good_count = {}, 0

-- A name: 1 to 255 bytes of UTF-8, no control characters. `seen` remembers the names of a batch that repeat.
function check.name(value, name, seen)
  if (seen and seen[value]) or good_names[value] then
    return value
  end
  if type(value) ~= 'string' then
    refuse(name, 'must be text')
  end
  if value == '' then
    refuse(name, 'is empty')
  end
  if #value > MAX_NAME then
    refuse(name, 'has ' .. #value .. ' bytes, at most ' .. MAX_NAME .. ' are allowed')
  end
  if not find(value, '^[\32-\126]+$') then
    if find(value, '%c') then
      refuse(name, 'has a control character')
    elseif not is_utf8(value) then
      refuse(name, 'is not UTF-8')
    end
  end
  if good_count == 1000 then
    good_names, good_count = {}, 0
  end
  good_names[value], good_count = true, good_count + 1
  if seen then
    seen[value] = true
  end
  return value
end

-- A whole number of JSON.
function check.integer(number, name, least, most)
  if type(number) ~= 'number' or number ~= floor(number) then
    refuse(name, 'must be a whole number')
  end
  if number < least or number > most then
    refuse(name, format('%.0f is outside %.0f..%.0f', number, least, most))
  end
  return number
end

-- The numbers given as texts of up to three digits, read once.
local short_numbers = {}

-- The same of flat arguments, which are texts.
function check.numeral(value, name, least, most)
  local number = short_numbers[value]
  if not number and type(value) == 'string' and find(value, '^-?%d+$') then
    number = tonumber(value)
    if #value <= 3 then
      short_numbers[value] = number
    end
  end
  return check.integer(number or value, name, least, most)
end

-- A number of JSON.
function check.number(number, name, least, most)
  if type(number) ~= 'number' then
    refuse(name, 'must be a number')
  elseif not (number >= least and number <= most) then
    refuse(name, format('%g is outside %g..%g', number, least, most))
  end
  return number
end

-- The number of a lease's token, in JSON too a text.
function check.token(value)
  if value == nil or value ~= last_token then
    last_token_number = check.numeral(value or '', 'token', 0, 2 ^ 53)
    last_token = value
  end
  return last_token_number
end

-- The longest span the engine takes: 100 years.
check.LONGEST_MS = 3155760000000

-- A span of JSON, in ms.
function check.span(value, name)
  return check.integer(value, name, 0, check.LONGEST_MS)
end

-- The spans given as texts of up to three digits, read once: most runs are as short.
local short_spans = {}

-- A span of flat arguments.
function check.span_text(value, name)
  local known = short_spans[value]
  if known then
    return known
  end
  local span = check.numeral(value, name, 0, check.LONGEST_MS)
  if type(value) == 'string' and #value <= 3 then
    short_spans[value] = span
  end
  return span
end

-- The text, or as many whole characters of its beginning as fit into `most` bytes.
function check.cut(value, most)
  if #value <= most then
    return value
  end
  return match(sub(value, 1, most + 1), '^(.*)[^\128-\191]') or ''
end

-- A text of which as much is kept. One that is no UTF-8 would make every answer with it unreadable.
function check.text(value, name, most)
  if type(value) ~= 'string' then
    refuse(name, 'must be text')
  end
  local kept = check.cut(value, most)
  if not is_utf8(kept) then
    refuse(name, 'is not UTF-8')
  end
  return kept
end

-- A text of the user's that is kept whole: UTF-8, at most `most` bytes.
function check.note(value, name, most)
  if type(value) == 'string' and #value > most then
    refuse(name, 'has ' .. #value .. ' bytes, at most ' .. most .. ' are allowed')
  end
  return check.text(value, name, most)
end

-- A list of names, at most `most`.
function check.names(value, name, most)
  if type(value) ~= 'table' then
    refuse(name, 'must be a list of texts')
  end
  local count = 0
  for _ in pairs(value) do
    count = count + 1
  end
  if count ~= #value then
    refuse(name, 'must be a list of texts')
  end
  if count > most then
    refuse(name, 'has ' .. count .. ' items, at most ' .. most .. ' are allowed')
  end
  for index, item in ipairs(value) do
    check.name(item, name .. '[' .. (index - 1) .. ']')
  end
  return value
end

-- The same with at least one.
function check.some_names(value, name, most)
  if #check.names(value, name, most) == 0 then
    refuse(name, 'is empty')
  end
  return value
end

-- Refuses an object that has another member than `known` has.
function check.members(object, name, known)
  for key in pairs(object) do
    if not known[key] then
      refuse(name, 'has the unknown key ' .. tostring(key))
    end
  end
end

-- A JSON object whose keys are all in `known`; '' is the empty object. Only where `known` says 'boolean' it has true or false.
function check.object(value, name, known)
  if value == nil or value == '' then
    return {}
  end
  local ok, object = pcall(decode_json, value)
  if not ok or not find(value, '^%s*{') then
    refuse(name, 'must be a JSON object')
  end
  check.members(object, name, known)
  for key, item in pairs(object) do
    if item == null then
      object[key] = nil
    elseif (type(item) == 'boolean') ~= (known[key] == 'boolean') then
      refuse(key, known[key] == 'boolean' and 'must be true or false' or 'must not be ' .. tostring(item))
    end
  end
  return object
end

-- Flat items of `width` arguments from `first` on: how many there are, at most `most` (250).
function check.items(argv, first, width, most)
  local count = (#argv - first + 1) / width
  most = most or MAX_ITEMS
  if count ~= floor(count) then
    fail('INVALID_ARGUMENT', 'the items must have ' .. width .. ' arguments each')
  end
  if count > most then
    fail('INVALID_ARGUMENT', 'the call has ' .. count .. ' items, at most ' .. most .. ' are allowed')
  end
  return count
end

-- Groups of flat items, from `first` to the last argument. What the items of a group have in common is said once: `head`
-- arguments, the last of them the number of items that follow, so many arguments each as `width_of` the group says. How many
-- items there are, at most `most`; where each group begins, and at last where another would.
function check.groups(argv, first, head, width_of, most)
  local begins, groups, count, at, last = { first }, 1, 0, first, #argv
  while at <= last do
    local items = at + head <= last and check.numeral(argv[at + head - 1], 'count', 1, MAX_ITEMS)
    at = at + head + (items or 0) * width_of(argv, at + head)
    if not items or at > last + 1 then
      fail('INVALID_ARGUMENT', 'the arguments end within a group of items')
    end
    groups, count = groups + 1, count + items
    begins[groups] = at
  end
  if count > most then
    fail('INVALID_ARGUMENT', 'the call has ' .. count .. ' items, at most ' .. most .. ' are allowed')
  end
  return count, begins
end

return check
