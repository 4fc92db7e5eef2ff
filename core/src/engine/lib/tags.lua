-- Lists of tags, of jobs and of recurring jobs. A list is never changed in place: what is indexed by it compares old and new.
local tags = { most = 32 }

-- The texts of the lists, each once, in order of first sight.
function tags.union(...)
  local list, seen = {}, {}
  for _, source in ipairs({ ... }) do
    for _, tag in ipairs(source) do
      if not seen[tag] then
        seen[tag] = true
        list[#list + 1] = tag
      end
    end
  end
  return list
end

function tags.with(present, added)
  local list = tags.union(present or {}, added)
  if #list > tags.most then
    fail('INVALID_ARGUMENT', 'tags: ' .. #list .. ' in all, at most ' .. tags.most .. ' are allowed')
  end
  return list
end

-- nil when none is left.
function tags.without(present, removed)
  local list, gone = {}, {}
  for _, tag in ipairs(removed) do
    gone[tag] = true
  end
  for _, tag in ipairs(present or {}) do
    if not gone[tag] then
      list[#list + 1] = tag
    end
  end
  return #list > 0 and list or nil
end

-- The list without repetitions; nil when empty.
function tags.distinct(given)
  local list = tags.with(nil, given)
  return #list > 0 and list or nil
end

return tags
