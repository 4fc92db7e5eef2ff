-- Limits on how many jobs run at once. Each queue has one of its own, whose holders are its running jobs; others are
-- named by the jobs that share them. {ns}:throttle:<id> keeps the limit as text, and until when it holds.
local throttle = {}

local OF_QUEUE, NO_IDS = 'queue:', {}

function throttle.of_queue(queue)
  return OF_QUEUE .. queue
end

-- The queue whose own throttle this is, or nil.
function throttle.queue_of(id)
  return sub(id, 1, #OF_QUEUE) == OF_QUEUE and sub(id, #OF_QUEUE + 1) or nil
end

-- The throttle that the call's arguments name, by `id` or as the one of a `queue`.
function throttle.named(args)
  if (args.queue == nil) == (args.id == nil) then
    fail('INVALID_ARGUMENT', 'id and queue: give one of them')
  elseif args.queue ~= nil then
    return throttle.of_queue(check.name(args.queue, 'queue'))
  end
  return throttle.id(args.id, 'id')
end

function throttle.id(value, name)
  if throttle.queue_of(check.name(value, name)) then
    fail('INVALID_ARGUMENT', name .. ' begins with ' .. OF_QUEUE .. ', which is kept for the throttles of queues')
  end
  return value
end

-- A job's throttles; nil when it has none.
function throttle.ids(value, name)
  local ids = check.names(value or {}, name, 32)
  for index, id in ipairs(ids) do
    throttle.id(id, name .. '[' .. (index - 1) .. ']')
  end
  return texts.distinct(ids)
end

-- The limit, and until when it holds (nil for good); nil when nothing is limited.
function throttle.limit(id)
  local stored = uses.has('throttles') and call('GET', keys.throttle(id))
  if not stored then
    return nil
  end
  local limit, ends_at = match(stored, '^(%d+) ?(%d*)$')
  ends_at = tonumber(ends_at)
  if ends_at and ends_at <= now then
    return nil
  end
  return tonumber(limit), ends_at
end

function throttle.holders(id)
  local queue = throttle.queue_of(id)
  if queue then
    return shared.running(queue) + call('ZCARD', keys.grace(queue))
  end
  return call('ZCARD', keys.held(id))
end

-- How many more may run; nil for any number.
function throttle.room(id)
  local limit = throttle.limit(id)
  return limit and limit - throttle.holders(id)
end

function throttle.view(id)
  local limit, ends_at = throttle.limit(id)
  local queue = throttle.queue_of(id)
  return {
    map = {
      id = not queue and id or null, queue = queue or null, limit = limit or null, held = throttle.holders(id),
      pending = call('ZCARD', keys.pending(id)), expires_ms = ends_at and ends_at - now or null,
    },
  }
end

local function room_in(rooms, id)
  local room = rooms[id]
  if room == nil then
    room = throttle.room(id) or false
    rooms[id] = room
  end
  return room
end

-- Takes the queue's own throttle and all of the job's, or none: then the id of one that is full. `rooms`: id -> room, false
-- for no limit, as this call leaves it.
function throttle.take(rooms, own, job)
  local room = room_in(rooms, own)
  if room and room <= 0 then
    return own
  end
  local ids = job[RARE] and job[RARE][THROTTLES]
  for _, id in ipairs(ids or NO_IDS) do
    local rest = room_in(rooms, id)
    if rest and rest <= 0 then
      return id
    end
  end
  for _, id in ipairs(ids or NO_IDS) do
    rooms[id] = rooms[id] and rooms[id] - 1
  end
  rooms[own] = room and room - 1
end

return throttle
