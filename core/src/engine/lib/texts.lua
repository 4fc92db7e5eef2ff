-- Lists of texts, each once: of tags, throttles, jobs. A list is never changed in place: what is indexed by it compares old
-- and new.
local texts = {}

-- The texts of the lists, each once, in order of first sight.
function texts.union(...)
  local list, seen = {}, {}
  for _, source in ipairs({ ... }) do
    for _, one in ipairs(source) do
      if not seen[one] then
        seen[one] = true
        list[#list + 1] = one
      end
    end
  end
  return list
end

-- nil when none is left.
function texts.without(present, removed)
  local list, gone = {}, {}
  for _, one in ipairs(removed) do
    gone[one] = true
  end
  for _, one in ipairs(present or {}) do
    if not gone[one] then
      list[#list + 1] = one
    end
  end
  return #list > 0 and list or nil
end

-- The list without repetitions; nil when empty.
function texts.distinct(given)
  return #given > 0 and texts.union(given) or nil
end

return texts
