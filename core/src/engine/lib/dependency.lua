-- Jobs that wait for others. Each pair stands twice: {ns}:dependencies:<jid> of the one that waits, {ns}:dependents:<jid>
-- of the one waited for. A job waits while it has dependencies; one that is completed or unknown is none.
local MOST, DEEPEST, MOST_STEPS = 256, 1000, 2000

local dependency = { most = MOST }

-- The argument's list, each jid once; nil when it is empty.
function dependency.parse(value, name)
  local on = check.names(value or {}, name, MOST)
  return texts.distinct(on)
end

function dependency.parse_missing(value)
  if value ~= nil and value ~= 'satisfied' and value ~= 'reject' then
    fail('INVALID_ARGUMENT', 'missing must be satisfied or reject')
  end
  return value == 'reject'
end

-- Of `on`: those still to be waited for, and those that are satisfied, completed or unknown.
function dependency.split(on, reject)
  local open, satisfied = {}, {}
  state.load_all(on)
  for _, jid in ipairs(on) do
    local job = state.load(jid)
    if reject and not job then
      fail('UNKNOWN_DEPENDENCY', 'there is no job ' .. jid .. ' to depend on')
    end
    if job and job[STATE] ~= COMPLETED then
      open[#open + 1] = jid
    else
      satisfied[#satisfied + 1] = jid
    end
  end
  return open, satisfied
end

-- Whether anybody waits for a job; if not, it can wait for whom it likes.
local function is_waited_for(jid)
  local job = state.load(jid)
  return job and record.rare(job, HAS_DEPENDENTS)
end

-- Why `jid` cannot wait for `on`, as a code and a message: one of these waits for it already. nil when it can.
-- Of a call that asks for many: `links`: jid -> list, what it has yet to write; `search`: its steps so far.
function dependency.cycle(jid, on, links, search)
  local seen, line = {}, {}
  local index, list = 0, on
  search = search or { steps = 0 }
  while list do
    for _, other in ipairs(list) do
      if other == jid then
        return 'CYCLE ' .. jid .. ' would wait for itself'
      elseif not seen[other] then
        seen[other] = true
        line[#line + 1] = other
      end
    end
    if index == 0 and not is_waited_for(jid) then
      return nil
    end
    search.steps = search.steps + #list
    if #line > DEEPEST or search.steps > MOST_STEPS then
      return 'TOO_DEEP too many jobs stand before ' .. jid .. ' to look for a circle: one more than ' .. #line - 1
    end
    index = index + 1
    local next_one = line[index]
    list = next_one and (links and links[next_one] or call('ZRANGE', keys.dependencies(next_one), '0', '-1'))
  end
end

-- The same as an error.
function dependency.refuse_cycle(jid, on, links, search)
  local problem = dependency.cycle(jid, on, links, search)
  if problem then
    error(redis.error_reply(problem))
  end
end

-- Refuses more dependencies than a job may have.
function dependency.refuse_too_many(job, open)
  local present = call('ZRANGE', keys.dependencies(job[JID]), '0', '-1')
  local count = #texts.union(present, open)
  if count > MOST then
    fail('INVALID_ARGUMENT', 'on: ' .. count .. ' dependencies in all, at most ' .. MOST .. ' are allowed')
  end
end

-- Marks that the jobs of `on` are waited for.
function dependency.mark(on)
  for _, jid in ipairs(on) do
    state.set_rare(state.load(jid), HAS_DEPENDENTS, true)
  end
end

local function note_waiter(other, jid)
  local job = state.load(other)
  if job then
    job[WAITED_BY] = job[WAITED_BY] or {}
    job[WAITED_BY][#job[WAITED_BY] + 1] = jid
  end
end

-- Writes that jobs wait for others. `links`: jid -> the jids it waits for.
function dependency.link_all(links)
  local waiting, waited_for = {}, {}
  for jid, on in pairs(links) do
    local pairs_of_on, job, waits_for = {}, state.load(jid), {}
    if #on > 0 then
      state.set_rare(job, HAS_DEPENDENCIES, true)
      job[WAITS_FOR] = waits_for
    end
    for index, other in ipairs(on) do
      note_waiter(other, jid)
      waits_for[other] = true
      pairs_of_on[2 * index - 1], pairs_of_on[2 * index] = now_text, other
      local list = waiting[other] or {}
      waiting[other] = list
      list[#list + 1] = now_text
      list[#list + 1] = jid
    end
    waited_for[jid] = pairs_of_on
  end
  state.later(function()
    for jid, list in pairs(waited_for) do
      call_sliced('ZADD', keys.dependencies(jid), list, 2)
    end
    for other, list in pairs(waiting) do
      call_sliced('ZADD', keys.dependents(other), list, 2)
    end
  end)
end

function dependency.link(job, on)
  dependency.link_all({ [job[JID]] = on })
end

-- Nothing is left that `job` waits for.
function dependency.none_left(job)
  state.set_rare(job, HAS_DEPENDENCIES, nil)
  if job[STATE] == BLOCKED then
    state.unblock(job)
  end
end

-- Writes that `jid` waits for `on` no longer.
function dependency.unlink(jid, on)
  for _, other in ipairs(on) do
    call('ZREM', keys.dependents(other), jid)
  end
  call_sliced('ZREM', keys.dependencies(jid), on)
end

-- `job` waits for `on` no longer.
function dependency.leave(job, on)
  local key = keys.dependencies(job[JID])
  local left = call('ZCARD', key)
  for _, other in ipairs(on) do
    left = call('ZSCORE', key, other) and left - 1 or left
  end
  state.later(function()
    dependency.unlink(job[JID], on)
  end)
  if left == 0 then
    dependency.none_left(job)
  end
end

-- Writes that these jobs wait for no others any more.
function dependency.unlink_all(jids)
  local left, emptied = {}, {}
  for _, jid in ipairs(jids) do
    for _, other in ipairs(call('ZRANGE', keys.dependencies(jid), '0', '-1')) do
      left[other] = left[other] or {}
      left[other][#left[other] + 1] = jid
    end
    emptied[#emptied + 1] = keys.dependencies(jid)
  end
  state.later(function()
    for _, key in ipairs(emptied) do
      call('UNLINK', key)
    end
    for other, waiting in pairs(left) do
      call_sliced('ZREM', keys.dependents(other), waiting)
    end
  end)
end

-- The jobs of `list` that wait for others, and are placed anew or go, do so no longer.
function dependency.leave_all(list)
  local jids = {}
  for _, job in ipairs(list) do
    if record.rare(job, HAS_DEPENDENCIES) then
      jids[#jids + 1] = job[JID]
      record.set_rare(job, HAS_DEPENDENCIES, nil)
    end
  end
  dependency.unlink_all(jids)
end

-- `jid` is completed: `dependent` need not wait for it. Others that it waits for may be completed by the same call.
function dependency.satisfy(dependent, jid)
  local key, job = keys.dependencies(dependent), state.load(dependent)
  local linked = job and job[WAITS_FOR] or {}
  if not linked[jid] and not call('ZSCORE', key, jid) then
    return
  end
  state.later(function()
    call('ZREM', key, jid)
  end)
  if not job then
    return
  end
  local count = call('ZCARD', key)
  for _ in pairs(linked) do
    count = count + 1
  end
  job[SATISFIED] = (job[SATISFIED] or 0) + 1
  if count == job[SATISFIED] then
    dependency.none_left(job)
  end
end

return dependency
