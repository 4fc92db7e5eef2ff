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

-- The members of one with their scores, as pairs.
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

-- What is shown of a page may be large: beyond so many bytes the rest of it is to be asked for again.
local MAX_BYTES = 1048576

-- What `show` makes of the items of a page, nil for nothing, as far as a reply may be long; it answers the bytes too. Then
-- where the rest of the page is, null when nothing is left out.
function page.shown(items, offset, show)
  local list, bytes = {}, 0
  for index = 1, #items do
    if bytes > MAX_BYTES then
      return list, { map = { offset = offset + index - 1, limit = #items - index + 1 } }
    end
    local shown, size = show(items[index])
    list[#list + 1] = shown
    bytes = bytes + (size or 0)
  end
  return list, null
end

-- The reply of an operation that lists jids.
function page.jids(key, args, reverse)
  local offset, limit = page.parse(args)
  return { map = { total = call('ZCARD', key), jids = page.members(key, offset, limit, reverse) } }
end

return page
