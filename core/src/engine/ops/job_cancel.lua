-- job_cancel: jobs disappear, in whatever state they are. Who runs one learns it: its lock is lost as cancelled.
--
-- args    JSON  jids     list of 1 to 500 texts; the jobs wait for at most 500 others in all
-- reply   list  the jids that were there
-- errors  INVALID_ARGUMENT, HAS_DEPENDENTS (a job waits for one of them and is not cancelled with it; none is cancelled)
-- keys    {ns}:job:<jid> and all that begins with a noun and its jid; {ns}:cancelled:<jid> {ns}:dependents:<jid> and the places
--         a job stands in; channels {ns}:event:cancelled {ns}:worker-event:<name>
local MOST_LINKS = 500

-- Taking a job out of what it waits for costs as much as the job.
local function refuse_too_many_links(jids)
  local count = 0
  for _, jid in ipairs(jids) do
    local job = state.load(jid)
    if job and record.rare(job, HAS_DEPENDENCIES) then
      count = count + call('ZCARD', keys.dependencies(jid))
    end
  end
  if count > MOST_LINKS and #jids > 1 then
    fail('INVALID_ARGUMENT', 'jids wait for ' .. count .. ' jobs in all, at most ' .. MOST_LINKS .. ' are allowed; cancel fewer at a time')
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
  state.load_all(jids)
  refuse_too_many_links(jids)
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
