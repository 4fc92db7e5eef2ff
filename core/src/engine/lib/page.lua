-- Lists read by pages: of any length, never more than a page at once.
local page = {}

local DEFAULT_LIMIT, MAX_OFFSET = 25, 2 ^ 53

-- The names of a page's arguments, added to `known`.
function page.arguments(known)
  known.offset, known.limit = true, true
  return known
end

-- offset and limit of the call's arguments.
function page.parse(args)
  return check.integer(args.offset or 0, 'offset', 0, MAX_OFFSET), check.integer(args.limit or DEFAULT_LIMIT, 'limit', 1, MAX_ITEMS)
end

-- The members of a zset from `offset` on, lowest score first, or highest with `reverse`.
function page.members(key, offset, limit, reverse)
  if reverse then
    return call('ZRANGE', key, text(offset), text(offset + limit - 1), 'REV')
  end
  return call('ZRANGE', key, text(offset), text(offset + limit - 1))
end

-- The same with their scores, as pairs.
function page.scored(key, offset, limit, reverse)
  local flat
  if reverse then
    flat = call('ZRANGE', key, text(offset), text(offset + limit - 1), 'REV', 'WITHSCORES')
  else
    flat = call('ZRANGE', key, text(offset), text(offset + limit - 1), 'WITHSCORES')
  end
  local list = {}
  for index = 1, #flat, 2 do
    list[#list + 1] = { flat[index], tonumber(flat[index + 1]) }
  end
  return list
end

-- The reply of an operation that lists jids.
function page.jids(key, args, reverse)
  local offset, limit = page.parse(args)
  return { map = { total = call('ZCARD', key), jids = page.members(key, offset, limit, reverse) } }
end

return page
