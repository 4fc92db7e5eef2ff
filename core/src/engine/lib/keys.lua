-- Every key name of the system. Free text comes last, once, so that no two names collide.
local keys = {}

function keys.job(jid)
  return ns .. 'job:' .. jid
end
function keys.data(jid)
  return ns .. 'data:' .. jid
end
function keys.history(jid)
  return ns .. 'history:' .. jid
end
function keys.result(jid)
  return ns .. 'result:' .. jid
end
function keys.failure(jid)
  return ns .. 'failure:' .. jid
end

-- Zsets of jids; in scheduled, of 12 hex digits of seq and the jid.
function keys.waiting(queue)
  return ns .. 'waiting:' .. queue
end
function keys.scheduled(queue)
  return ns .. 'scheduled:' .. queue
end
function keys.running(queue)
  return ns .. 'running:' .. queue
end
function keys.grace(queue)
  return ns .. 'grace:' .. queue
end
function keys.blocked(queue)
  return ns .. 'blocked:' .. queue
end
function keys.throttled(queue)
  return ns .. 'throttled:' .. queue
end
function keys.recurring(queue)
  return ns .. 'recurring:' .. queue
end
function keys.failed(group)
  return ns .. 'failed:' .. group
end
function keys.completed()
  return ns .. 'completed'
end

-- Zset of failure groups, score = jobs in it.
function keys.failures()
  return ns .. 'failures'
end
-- Zset of queues, score = when the first was put there; and of those with something due, score = when.
function keys.queues()
  return ns .. 'queues'
end
function keys.due()
  return ns .. 'due'
end
function keys.paused()
  return ns .. 'paused'
end
-- Lists of at most one token, on which idle workers block.
function keys.wake(queue)
  return ns .. 'wake:' .. queue
end
function keys.queues_wake()
  return ns .. 'queues:wake'
end

function keys.stats(day, queue)
  return ns .. 'stats:' .. day .. ':' .. queue
end
function keys.config()
  return ns .. 'config'
end
function keys.seq()
  return ns .. 'seq'
end
function keys.token()
  return ns .. 'token'
end

-- Zset of workers, score = last pulse in ms, negative once declared lost; of kinds, score = last pulse that knew it.
function keys.workers()
  return ns .. 'workers'
end
function keys.kinds()
  return ns .. 'kinds'
end
function keys.worker(name)
  return ns .. 'worker:' .. name
end
function keys.worker_jobs(name)
  return ns .. 'worker-jobs:' .. name
end
-- Held for a second by whoever swept last.
function keys.swept()
  return ns .. 'swept'
end

return keys
