-- Placing a job that exists in a queue, as a new put would: at the end of its line, with all its retries.
local placement = {}

-- Its history has been closed; `blocked`: it waits for dependencies first.
function placement.enter(job, queue, delay_ms, blocked)
  job[QUEUE], job[PUT_AT] = queue, now
  record.set_rare(job, REMAINING, nil)
  record.set_rare(job, SNOOZES, nil)
  record.set_rare(job, GROUP, nil)
  record.set_rare(job, PROGRESS, nil)
  if blocked then
    return state.block(job, now + delay_ms)
  end
  return state.wait_after(job, delay_ms)
end

-- From any state: a worker that has it loses it.
function placement.again(job, queue, delay_ms, blocked)
  if job[STATE] == RUNNING then
    record.set_rare(job, LOST_REASON, 'r')
  end
  history.leave(job)
  return placement.enter(job, queue, delay_ms, blocked)
end

return placement
