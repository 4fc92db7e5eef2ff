-- Why a job failed, or last went wrong: {ns}:failure:<jid>, a packed array.
local failure = {}

-- Keeps what went wrong beside a job that will be tried again.
function failure.note(job, group, message, trace)
  state.set_text(keys.failure(job[JID]), pack({ group, message, trace, now, job[WORKER] }))
  record.mark(job, HAS_FAILURE)
end

-- Gives the job up into its failure group, which is cut to the length of a name.
function failure.write(job, group, message, trace)
  group = check.cut(group, MAX_NAME)
  failure.note(job, group, message, trace)
  state.fail(job, group)
end

-- And how much of a reply it is.
function failure.read(job)
  local stored = record.has(job, HAS_FAILURE) and call('GET', keys.failure(job[JID]))
  if not stored then
    return null, 0
  end
  local parts = unpack_all(stored)
  return { map = { group = parts[1], message = parts[2], trace = parts[3], at_ms = parts[4], worker = parts[5] } }, #stored
end

return failure
