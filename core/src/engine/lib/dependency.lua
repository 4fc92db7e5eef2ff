-- Jobs that wait for others. Each pair stands twice: {ns}:dependencies:<jid> of the one that waits, {ns}:dependents:<jid>
-- of the one waited for. A job waits while it has dependencies; one that is completed or unknown is none.
local MOST, DEEPEST = 256, 1000

local dependency = { most = MOST }

-- The argument's list, each jid once; nil when it is empty.
function dependency.parse(value, name)
  local on = check.names(value or {}, name, MOST)
  return #on > 0 and tags.union(on) or nil
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

-- Why `jid` cannot wait for `on`, as a code and a message: one of these waits for it already. nil when it can.
-- `links`: jid -> list, what the call in progress has yet to write.
function dependency.cycle(jid, on, links)
  local seen, line = {}, {}
  local index, list = 0, on
  while list do
    for _, other in ipairs(list) do
      if other == jid then
        return 'CYCLE ' .. jid .. ' would wait for itself'
      elseif not seen[other] then
        seen[other] = true
        line[#line + 1] = other
      end
    end
    if #line > DEEPEST then
      return 'TOO_DEEP more than ' .. DEEPEST .. ' jobs stand before ' .. jid
    end
    index = index + 1
    local next_one = line[index]
    list = next_one and (links and links[next_one] or call('ZRANGE', keys.dependencies(next_one), '0', '-1'))
  end
end

-- The same as an error.
function dependency.refuse_cycle(jid, on, links)
  local problem = dependency.cycle(jid, on, links)
  if problem then
    error(redis.error_reply(problem))
  end
end

-- Refuses more dependencies than a job may have.
function dependency.refuse_too_many(job, open)
  local present = call('ZRANGE', keys.dependencies(job[JID]), '0', '-1')
  local count = #tags.union(present, open)
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

-- Writes that `job` waits for `on`.
function dependency.link(job, on)
  local pairs_of_on = {}
  for _, jid in ipairs(on) do
    pairs_of_on[#pairs_of_on + 1] = now_text
    pairs_of_on[#pairs_of_on + 1] = jid
    call('ZADD', keys.dependents(jid), 'NX', now_text, job[JID])
  end
  call('ZADD', keys.dependencies(job[JID]), 'NX', unpack(pairs_of_on))
  state.set_rare(job, HAS_DEPENDENCIES, true)
end

-- `jid` waits for `on` no longer; true when nothing is left that it waits for.
function dependency.unlink(jid, on)
  for _, other in ipairs(on) do
    call('ZREM', keys.dependents(other), jid)
  end
  call_sliced('ZREM', keys.dependencies(jid), on)
  return call('EXISTS', keys.dependencies(jid)) == 0
end

-- The same for all it waits for, of a job that is placed anew or goes.
function dependency.unlink_all(job)
  if record.rare(job, HAS_DEPENDENCIES) then
    dependency.unlink(job[JID], call('ZRANGE', keys.dependencies(job[JID]), '0', '-1'))
    record.set_rare(job, HAS_DEPENDENCIES, nil)
  end
end

-- Nothing is left that `job` waits for.
function dependency.none_left(job)
  state.set_rare(job, HAS_DEPENDENCIES, nil)
  if job[STATE] == BLOCKED then
    state.unblock(job)
  end
end

-- `jid` is completed: `dependent` need not wait for it.
function dependency.satisfy(dependent, jid)
  call('ZREM', keys.dependencies(dependent), jid)
  local job = state.load(dependent)
  if job and call('EXISTS', keys.dependencies(dependent)) == 0 then
    dependency.none_left(job)
  end
end

return dependency
