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
-- For a while, the token of a run whose job was cancelled.
function keys.cancelled(jid)
  return ns .. 'cancelled:' .. jid
end

-- Zsets of jids, score = when the one came to wait for the other; and what finished with more dependents than one call frees.
function keys.dependencies(jid)
  return ns .. 'dependencies:' .. jid
end
function keys.dependents(jid)
  return ns .. 'dependents:' .. jid
end
function keys.freed(number)
  return ns .. 'freed:' .. number
end
-- Zset of what still has to free others, score = from when on: throttles and finished dependencies (lib/freeing.lua).
function keys.freeing()
  return ns .. 'freeing'
end

-- Zsets of jids with a tag; of tags, score = jobs; of tracked jids.
function keys.tag(tag)
  return ns .. 'tag:' .. tag
end
function keys.tags()
  return ns .. 'tags'
end
function keys.tracked()
  return ns .. 'tracked'
end

-- The limit of a throttle, as text; zsets of all throttles, of the jids that hold one and of those that wait for it.
function keys.throttle(id)
  return ns .. 'throttle:' .. id
end
function keys.throttles()
  return ns .. 'throttles'
end
function keys.held(id)
  return ns .. 'held:' .. id
end
function keys.pending(id)
  return ns .. 'pending:' .. id
end

-- A recurring job, packed.
function keys.template(jid)
  return ns .. 'template:' .. jid
end

-- Hash of saved lists of queue patterns, packed.
function keys.patterns()
  return ns .. 'patterns'
end

-- Capped stream of all events; the channels, which are no keys.
function keys.events()
  return ns .. 'events'
end
function keys.event_channel(what)
  return ns .. 'event:' .. what
end
function keys.worker_channel(name)
  return ns .. 'worker-event:' .. name
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
-- Set of queues that may have jobs to take: at least those with a wake token, and those whose token somebody took.
function keys.ready()
  return ns .. 'ready'
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

-- Zset of workers, score = last pulse in ms, negative once declared lost; of kinds, score = last pulse that knew it;
-- of a worker's jobs, score = end of the lease.
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
-- A shared lease (lib/shared.lua): hash of jids and how many are left. Zsets of those of a queue and of a worker, score = end of
-- the lease; how many jobs of a queue share one.
function keys.lease(name)
  return ns .. 'lease:' .. name
end
function keys.leases(queue)
  return ns .. 'leases:' .. queue
end
function keys.worker_leases(name)
  return ns .. 'worker-leases:' .. name
end
function keys.leased(queue)
  return ns .. 'leased:' .. queue
end
-- Zset of what the worker is asked to do, score = number of the order.
function keys.orders(name)
  return ns .. 'orders:' .. name
end
-- Held for a second by whoever swept last.
function keys.swept()
  return ns .. 'swept'
end

-- What a place in line is a place in: the word after the namespace, and the name after that.
function keys.parts(key)
  return match(sub(key, #ns + 1), '^([%a-]+):?(.*)$')
end

return keys
