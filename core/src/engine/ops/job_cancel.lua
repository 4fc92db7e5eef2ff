-- job_cancel: jobs disappear, in whatever state they are. Who runs one learns it: its lock is lost as cancelled.
--
-- args    JSON  jids     list of 1 to 250 texts. More than one have at most 500 tags, throttles and dependencies in all
-- reply   list  the jids that were there
-- errors  INVALID_ARGUMENT, HAS_DEPENDENTS (a job waits for one of them and is not cancelled with it; none is cancelled)
-- keys    {ns}:job:<jid> and all that begins with a noun and its jid; {ns}:cancelled:<jid> {ns}:dependents:<jid> and the places
--         a job stands in; channels {ns}:event:cancelled {ns}:worker-event:<name>
local MOST_TIES = 500

-- Loads the jobs, a part at a time: to load what has too much costs something too.
local function load_all(jids)
  local loaded, ties = 0, 0
  for index, jid in ipairs(jids) do
    loaded = index > loaded and state.load_some(jids, index) or loaded
    local job = state.load(jid)
    ties = job and ties + standing.ties(job) or ties
    if ties > MOST_TIES and #jids > 1 then
      fail('INVALID_ARGUMENT', 'jids: more than ' .. MOST_TIES .. ' tags, throttles and dependencies in all; cancel fewer at a time')
    end
  end
end

local function refuse_dependents(job, doomed, most)
  local key = keys.dependents(job[JID])
  local dependents = call('ZRANGE', key, '0', text(most))
  for _, jid in ipairs(dependents) do
    if not doomed[jid] then
      fail('HAS_DEPENDENTS', 'job ' .. jid .. ' waits for ' .. job[JID] .. ' and is not cancelled with it')
    end
  end
end

operation('job_cancel', 'write', function(argv)
  local args = check.object(argv[3], 'args', { jids = true })
  local jids = check.some_names(args.jids, 'jids', MAX_ITEMS)
  local doomed, cancelled = {}, {}
  for _, jid in ipairs(jids) do
    doomed[jid] = true
  end
  state.begin()
  load_all(jids)
  for _, jid in ipairs(jids) do
    local job = state.load(jid)
    if job and record.rare(job, HAS_DEPENDENTS) then
      refuse_dependents(job, doomed, #jids)
    end
  end
  local jobs = {}
  for _, jid in ipairs(jids) do
    local job = state.load(jid)
    if job and doomed[jid] then
      doomed[jid] = nil -- named twice, it was there once
      jobs[#jobs + 1] = job
      cancelled[#cancelled + 1] = jid
    end
  end
  lease.cancel(jobs)
  state.commit()
  return cancelled
end)
