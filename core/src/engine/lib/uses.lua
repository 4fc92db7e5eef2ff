-- What a namespace makes use of and most do not: words in the field `uses` of {ns}:meta, which every call reads, so that it need
-- not look where nothing can be. A word comes before what it stands for, and goes when that is known to be gone:
--
--   settings   {ns}:config
--   pauses     {ns}:paused
--   throttles  {ns}:throttle:<id> and {ns}:pending:<id>; stays, as jobs may wait for a throttle that is no more
--   freeing    {ns}:freeing
--   losses     workers that were declared lost
local uses = {}

function uses.has(word)
  return meta.uses and find(meta.uses, word, 1, true)
end

function uses.begin(word)
  if not uses.has(word) then
    write_meta('uses', (meta.uses or '') .. word .. ' ')
  end
end

function uses.cease(word)
  local first, last = find(meta.uses or '', word, 1, true)
  if first then
    write_meta('uses', sub(meta.uses, 1, first - 1) .. sub(meta.uses, last + 2))
  end
end

-- The word goes when its key is gone.
function uses.cease_without(word, key)
  if uses.has(word) and call('EXISTS', key) == 0 then
    uses.cease(word)
  end
end

return uses
