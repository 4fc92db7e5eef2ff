-- What a reservation answers: the jobs, in groups of those that have all in common but jid and what their records say of them
-- (ops/queue_reserve.lua).
local reserve_reply = {}

local function has_extra(rare)
  return rare[RETRIES] or rare[REMAINING] or rare[TAGS] or rare[ROUTE] or rare[THROTTLES] or rare[PARENT] or rare[TRACKED]
    or rare[HEADERS] or rare[TIMEOUT_MS] or rare[BACKOFF_MS]
end

-- The JSON object `object`, with one more member if there is one.
local function with_json(object, name, value)
  return value and sub(object, 1, -2) .. ',"' .. name .. '":' .. value .. '}' or object
end

-- What is not so with most jobs: '' or JSON.
function reserve_reply.extra(job)
  local rare, priority = job[RARE], record.priority(job)
  if priority == 0 and not (rare and has_extra(rare)) then
    return ''
  end
  local more = encode_json({
    priority = priority,
    retries = record.retries(job),
    remaining = record.remaining(job),
    tags = record.rare(job, TAGS),
    route = record.rare(job, ROUTE),
    throttles = record.rare(job, THROTTLES),
    parent = record.rare(job, PARENT),
    tracked = record.rare(job, TRACKED),
    timeout_ms = record.rare(job, TIMEOUT_MS),
  })
  return with_json(with_json(more, 'headers', record.rare(job, HEADERS)), 'backoff_ms', record.rare(job, BACKOFF_MS))
end

-- Where in the reply of a reservation the number of the jobs stands that have all this in common: those that follow each other
-- are a group, of which it is said once. All is plain values, as a list in a list costs Redis more than its values.
function reserve_reply.group_of(reservation, queue, lease_ms, more)
  local reply, at = reservation.reply, reservation.group
  if reply[at] and reply[at - 3] == queue and reply[at - 2] == lease_ms and reply[at - 1] == more then
    return at
  end
  at = #reply + 4
  reply[at - 3], reply[at - 2], reply[at - 1], reply[at] = queue, lease_ms, more, 0
  reservation.group = at
  return at
end

function reserve_reply.append(reservation, job, payload, lease_ms, more)
  local reply, at = reservation.reply, reserve_reply.group_of(reservation, job[QUEUE], lease_ms, more)
  local length = #reply
  reply[length + 1] = job[JID]
  if #payload > INLINE_BYTES then
    reply[length + 2], reply[length + 3] = record.about(job), payload
  else
    reply[length + 2] = record.about(job) .. payload
  end
  reply[at] = reply[at] + 1
end

return reserve_reply
