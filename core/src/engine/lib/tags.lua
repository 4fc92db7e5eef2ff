-- Tags, of jobs and of recurring jobs.
local tags = { most = 32 }

-- The argument of an operation that adds tags or takes them off: whose, and which.
function tags.parse(argument)
  local args = check.object(argument, 'args', { jid = true, tags = true })
  return check.name(args.jid, 'jid'), check.some_names(args.tags, 'tags', tags.most)
end

function tags.with(present, added)
  local list = texts.union(present or {}, added)
  if #list > tags.most then
    fail('INVALID_ARGUMENT', 'tags: ' .. #list .. ' in all, at most ' .. tags.most .. ' are allowed')
  end
  return list
end

return tags
