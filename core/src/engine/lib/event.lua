-- Events: what happens to tracked jobs, or with the setting `events` to all, told on channels; and what a worker must
-- know of its jobs. They are an extra, never the mechanism: sent last, and a failure to send changes nothing.
local event = {}

local STREAM_LENGTH = '10000'

local sent_later

function event.begin()
  if not sent_later or #sent_later > 0 then
    sent_later = {}
  end
end

-- `again`: the same is told elsewhere, the stream need not have it twice.
local function send_later(channel, message, again)
  sent_later[#sent_later + 1] = { channel, message, again }
end

-- Tells of `what` happened to a job, whoever asked.
function event.note(job, what)
  local worker = job[STATE] == RUNNING and job[WORKER] or nil
  send_later(keys.event_channel(what), { event = what, jid = job[JID], queue = job[QUEUE], kind = job[KIND], worker = worker, at_ms = now })
end

-- What it is called that a job came from the place `from` to where it is now; nil for nothing that anybody asks about.
local function name_of(job, from, from_queue)
  local at = STATE_NAMES[job[STATE]]
  if not at then
    return record.rare(job, CANCELLED) and 'cancelled' or nil
  elseif at == 'running' then
    if from == 'waiting' then
      return 'reserved'
    end
    return from == 'running' and record.rare(job, GRACE_UNTIL) and 'stalled' or nil
  elseif at == 'failed' or at == 'completed' then
    return at ~= from and at or nil
  elseif not from or from == 'failed' or from == 'completed' or from_queue ~= job[QUEUE] or job[REPLACED] then
    return 'put'
  end
  return at ~= from and at or nil
end

-- What the worker that had the job must know: it has lost it, or is about to.
local function news_of(job, from)
  if record.rare(job, CANCELLED) then
    return 'cancelled'
  elseif record.rare(job, LOST_REASON) then
    return 'lost'
  end
  return from == 'running' and record.rare(job, GRACE_UNTIL) and 'stalled' or nil
end

-- For a changed job: what is to be told of it.
function event.derive(job)
  local worker = job[FROM_WORKER]
  if not (worker or meta.events or record.rare(job, TRACKED)) then
    return
  end
  local from, from_queue
  if job[FROM] then
    from, from_queue = place.parts(job[FROM])
  end
  local what = (meta.events or record.rare(job, TRACKED)) and name_of(job, from, from_queue)
  if what then
    event.note(job, what)
  end
  local news = worker and news_of(job, from)
  if news then
    local message = { event = news, jid = job[JID], queue = job[QUEUE], kind = job[KIND], worker = worker, at_ms = now }
    send_later(keys.worker_channel(worker), message, news == what)
  end
end

-- Sends what was noted, after everything is written: in a function, PUBLISH without the right for it is an error.
function event.flush()
  for index = 1, #sent_later do
    local pair = sent_later[index]
    local message = encode_json(pair[2])
    redis.pcall('PUBLISH', pair[1], message)
    if meta.events and not pair[3] then
      redis.pcall('XADD', keys.events(), 'MAXLEN', '~', STREAM_LENGTH, '*', 'event', message)
    end
  end
end

return event
