-- Why a job failed, or last went wrong: {ns}:failure:<jid>, a packed array.
local failure = {}

-- Keeps what went wrong beside a job that will be tried again.
function failure.note(item, group, message, trace)
  call('SET', keys.failure(item.jid), pack({ group, message, trace, now, item.job[WORKER] or '' }))
  record.mark(item.job, HAS_FAILURE)
end

-- Gives the job up into its failure group, which is cut to the length of a name.
function failure.write(item, group, message, trace)
  group = check.cut(group, MAX_NAME)
  failure.note(item, group, message, trace)
  state.fail(item, group)
end

function failure.read(jid, job)
  local stored = record.has(job, HAS_FAILURE) and call('GET', keys.failure(jid))
  if not stored then
    return null
  end
  local parts = unpack_all(stored)
  return { map = { group = parts[1], message = parts[2], trace = parts[3], at_ms = parts[4], worker = parts[5] } }
end

return failure
