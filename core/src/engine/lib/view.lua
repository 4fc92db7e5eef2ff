-- How a job looks to readers.
local view = {}

-- A reply holds so many bytes of jobs; what is over is named, to be asked for again.
local MAX_REPLY, JOB_BYTES = 8388608, 500
-- and so many jobs; ten entries of their histories count as one more.
local MOST_JOBS = 150

function view.json(value)
  return { verbatim_string = { format = 'jsn', string = value } }
end

function view.headers(headers)
  return view.json(headers or '{}')
end

local function progress_of(job)
  local progress = record.rare(job, PROGRESS)
  return progress and { map = { value = { double = progress[1] }, note = progress[2], at_ms = progress[3] } } or null
end

-- The dependencies still waited for, or the first of the dependents.
local function links(job, field, key)
  return record.rare(job, field) and call('ZRANGE', key, '0', '255') or {}
end

-- All that is known of a job, and how many bytes its texts have.
function view.job(job)
  local jid, rare = job[JID], job[RARE] or {}
  local running = job[STATE] == RUNNING
  local in_grace = running and rare[GRACE_UNTIL] ~= nil
  local result = record.has(job, HAS_RESULT) and call('GET', keys.result(job[JID]))
  local payload = record.payload(job)
  local past, past_bytes = history.read(job)
  local problem, problem_bytes = failure.read(job)
  local later = job[STATE] == SCHEDULED or (job[STATE] == BLOCKED and record.ready_at(job) > now)
  return {
    map = {
      jid = jid,
      kind = job[KIND],
      queue = job[QUEUE],
      state = STATE_NAMES[job[STATE]],
      stalled = in_grace or (running and job[LEASE_UNTIL] <= now),
      data = view.json(payload),
      result = result and view.json(result) or null,
      priority = record.priority(job),
      retries = record.retries(job),
      remaining = record.remaining(job),
      put_at_ms = job[PUT_AT],
      due_at_ms = later and record.ready_at(job) or null,
      worker = running and job[WORKER] or null,
      token = running and text(job[TOKEN]) or null,
      lease_until_ms = running and job[LEASE_UNTIL] or null,
      tags = rare[TAGS] or {},
      route = rare[ROUTE] or {},
      throttles = rare[THROTTLES] or {},
      headers = view.headers(rare[HEADERS]),
      timeout_ms = rare[TIMEOUT_MS] or null,
      backoff_ms = view.json(rare[BACKOFF_MS] or 'null'),
      dependencies = links(job, HAS_DEPENDENCIES, keys.dependencies(jid)),
      dependents = links(job, HAS_DEPENDENTS, keys.dependents(jid)),
      tracked = rare[TRACKED] ~= nil,
      parent = rare[PARENT] or null,
      progress = progress_of(job),
      failure = problem,
      history = past,
    },
  }, JOB_BYTES + #payload + #(rare[HEADERS] or '') + #(rare[BACKOFF_MS] or '')
    + (result and #result or 0) + past_bytes + problem_bytes, 1 + (rare[HISTORY_COUNT] or 0) / 10
end

-- The jobs of `jids` in their order, null for each that is not there, as far as a reply may be long; the jids left out.
function view.jobs(jids)
  local jobs, rest, bytes, count = {}, {}, 0, 0
  local stored = record.load_many(jids)
  for index = 1, #jids do
    if bytes > MAX_REPLY or count >= MOST_JOBS then
      rest[#rest + 1] = jids[index]
    elseif stored[index] then
      local job, size, weight = view.job(stored[index])
      jobs[#jobs + 1] = job
      bytes, count = bytes + size, count + weight
    else
      jobs[#jobs + 1] = null
    end
  end
  return { map = { jobs = jobs, rest = rest } }
end

return view
