-- Tracked jobs: events tell what happens to them.
local tracking = {}

-- For job_track and job_untrack: how many changed.
function tracking.set(argument, wanted)
  local args = check.object(argument, 'args', { jids = true })
  local jids = check.some_names(args.jids, 'jids', MAX_ITEMS)
  state.begin()
  state.load_all(jids)
  local count = 0
  for _, jid in ipairs(jids) do
    local job = state.load(jid)
    if job and (record.rare(job, TRACKED) ~= nil) ~= wanted then
      count = count + 1
      state.set_rare(job, TRACKED, wanted or nil)
      event.note(job, wanted and 'track' or 'untrack')
    end
  end
  state.commit()
  return count
end

return tracking
