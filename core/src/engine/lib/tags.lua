-- Tags, of jobs and of recurring jobs.
local tags = { most = 32 }

function tags.with(present, added)
  local list = texts.union(present or {}, added)
  if #list > tags.most then
    fail('INVALID_ARGUMENT', 'tags: ' .. #list .. ' in all, at most ' .. tags.most .. ' are allowed')
  end
  return list
end

return tags
