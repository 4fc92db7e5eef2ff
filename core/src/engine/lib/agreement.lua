-- Whether one record agrees with the collections it belongs to: the part of the operation check that begins at records.
--
-- The record is the truth, so repairing means to put a job where its record says it is.
local agreement = {}

-- The step in progress. `known`, `takable`: queues that were looked for; `listed`: the jids of shared leases, as sets; `joined`: workers of
-- those that got jids.
local violations, repair, known, takable, listed, joined

-- A step begins; what it finds will be in the list.
function agreement.begin(mend)
  violations, repair, known, takable, listed, joined = {}, mend, {}, {}, {}, {}
  return violations
end

-- The step ends.
function agreement.finish()
  for name, worker in pairs(joined) do
    shared.recount(name, worker)
  end
end

function agreement.report(rule, jid, detail, mend)
  if repair and mend then
    mend()
  end
  violations[#violations + 1] = { map = { rule = rule, jid = jid, detail = detail, repaired = (repair and mend) and 1 or 0 } }
end

-- The record; nil when there is none. Second: true when it cannot be read, which the walk over the keys reports.
function agreement.load(jid)
  local ok, job = pcall(record.load, jid)
  if not ok or (job and not STATE_NAMES[job[STATE]]) then
    return nil, true
  end
  return job
end

-- The score; nil when it is not there. Second: true when the key is no zset, which is reported as such.
function agreement.score_of(key, member)
  local stored = redis.pcall('ZSCORE', key, member)
  if type(stored) == 'table' then
    return nil, true
  end
  return stored and tonumber(stored) or nil
end

local function score_text(score)
  return score == 1 / 0 and '+inf' or text(score)
end

-- The zsets that say how many members there are in others.
local COUNTED = { failed = keys.failures, tag = keys.tags }

-- The one that counts zsets of this word; nil when none does.
function agreement.counts_of(word)
  return COUNTED[word] and COUNTED[word]()
end

-- After a member came or went: what counts them agrees.
function agreement.recount(key)
  local word, name = keys.parts(key)
  local counts = agreement.counts_of(word)
  local count = counts and call('ZCARD', key) or 0
  if count > 0 then
    call('ZADD', counts, text(count), name)
  elseif counts then
    call('ZREM', counts, name)
  end
end

local report, load, score_of, recount = agreement.report, agreement.load, agreement.score_of, agreement.recount

local function expect_member(jid, key, member, score)
  local stored, broken = score_of(key, member)
  local function mend()
    call('ZADD', key, score_text(score), member)
    recount(key)
  end
  if broken then
    return
  elseif not stored then
    report('missing', jid, 'is not in ' .. key, mend)
  elseif stored ~= score then
    report('score', jid, 'has in ' .. key .. ' the score ' .. score_text(stored) .. ' instead of ' .. score_text(score), mend)
  end
end

local function expect_due(jid, queue, time)
  local stored, broken = score_of(keys.due(), queue)
  if not broken and (not stored or stored > time) then
    report('due', jid, 'will be due in ' .. queue .. ', which {ns}:due does not name in time', function()
      call('ZADD', keys.due(), text(time), queue)
    end)
  end
end

-- Workers on patterns only find queues that are known.
local function expect_known(jid, queue)
  if not known[queue] then
    known[queue] = true
    local since, broken = score_of(keys.queues(), queue)
    if not since and not broken then
      report('queue', jid, 'is in ' .. queue .. ', which {ns}:queues does not name', function()
        queues.know(queue)
      end)
    end
  end
end

-- Workers of many queues only ask those that are ready.
local function expect_ready(queue, what)
  if call('SISMEMBER', keys.ready(), queue) == 0 then
    report('ready', nil, 'queue ' .. queue .. ' has ' .. what .. ', and {ns}:ready does not name it', function()
      call('SADD', keys.ready(), queue)
    end)
  end
end

function agreement.wake(queue)
  expect_ready(queue, 'a wake token')
end

-- One whose jobs wait is ready, unless it is paused or its own throttle is full.
local function expect_takable(queue)
  if not takable[queue] then
    takable[queue] = true
    local own = throttle.of_queue(queue)
    if (throttle.room(own) or 1) > 0 and not freeing.noted(own) and call('SISMEMBER', keys.paused(), queue) == 0 then
      expect_ready(queue, 'jobs to take')
    end
  end
end

-- The texts that its flags say are in keys of their own; what they said is not to be had from anywhere.
local function expect_texts(job)
  local names = {}
  record.name_keys(job, names)
  for index = 2, #names do
    if call('EXISTS', names[index]) == 0 then
      report('lost', job[JID], 'has lost ' .. names[index])
    end
  end
end

-- The jids that a shared lease lists, as a set; nil when its key is of another type, which is reported as such.
local function listed_by(name)
  if not listed[name] then
    local ok, jids = pcall(shared.listed, name)
    if not ok then
      return nil
    end
    listed[name] = {}
    for _, jid in ipairs(jids) do
      listed[name][jid] = true
    end
  end
  return listed[name]
end

local function expect_sharing(job)
  local jid, ends_at, name = job[JID], job[LEASE_UNTIL], shared.name(job[TOKEN], job[QUEUE])
  local of_queue, no_zset = score_of(keys.leases(job[QUEUE]), name)
  local of_worker, none_either = score_of(keys.worker_leases(job[WORKER]), name)
  local jids = listed_by(name)
  if no_zset or none_either or not jids or (of_queue == ends_at and of_worker == ends_at and jids[jid]) then
    return
  end
  local rule = of_queue and of_worker and jids[jid] and 'score' or 'missing'
  report(rule, jid, 'does not share ' .. keys.lease(name) .. ' as its record says', function()
    shared.join(job, name)
    jids[jid], joined[name] = true, job[WORKER]
  end)
end

function agreement.job(jid)
  local job, broken = load(jid)
  if broken then
    report('state', jid, 'has no state, or a record that cannot be read')
  end
  if not job then
    return
  end
  local at = job[STATE]
  if job[FLAGS] ~= 0 then
    expect_texts(job)
  end
  if at <= RUNNING then
    expect_known(jid, job[QUEUE])
  end
  local key, score = place.of(job)
  if job[SHARES] then
    expect_sharing(job)
  else
    expect_member(jid, key, place.member_of(job), score)
  end
  for other, other_score in pairs((standing.of(job) or { sets = {} }).sets) do
    expect_member(jid, other, jid, other_score)
  end
  if at == WAITING then
    expect_takable(job[QUEUE])
  end
  if at == RUNNING and not job[SHARES] then
    expect_member(jid, keys.worker_jobs(job[WORKER]), jid, job[LEASE_UNTIL])
  end
  if at == SCHEDULED or at == RUNNING then
    expect_due(jid, job[QUEUE], score)
  end
  if at == BLOCKED and call('EXISTS', keys.dependencies(jid)) == 0 then
    report('blocked', jid, 'is blocked and waits for no job')
  end
end

function agreement.template(jid)
  local ok, template = pcall(recurring.load, jid)
  if not ok then
    report('state', jid, 'is a recurring job whose record cannot be read')
  elseif template then
    expect_known(jid, template.queue)
    expect_member(jid, keys.recurring(template.queue), jid, template.paused and 1 / 0 or template.next_at)
    if not template.paused then
      expect_due(jid, template.queue, template.next_at)
    end
  end
end

function agreement.throttle(id)
  local _, ends_at = throttle.limit(id)
  local function report_throttle(problem, mend)
    report('throttle', nil, 'throttle ' .. id .. ' ' .. problem, mend)
  end
  if not score_of(keys.throttles(), id) then
    report_throttle('is not listed', function()
      call('ZADD', keys.throttles(), '0', id)
    end)
  end
  if ends_at and not freeing.noted(id) then
    report_throttle('expires and nothing is noted for then', function()
      freeing.note_throttle(id, ends_at)
    end)
  end
end

return agreement
