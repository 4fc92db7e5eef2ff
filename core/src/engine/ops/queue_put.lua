-- queue_put: places jobs in queues, in the order given; one bad item refuses the whole call.
--
-- args    groups of  queue    text     1-255 bytes
--                    kind     text     1-255 bytes, names the handler
--                    options  text     '' or a JSON object: priority -128..127 (0), delay_ms (0), retries 0..255 (5),
--                                      tags (at most 32), route (queues of the later stages, at most 64),
--                                      throttles (at most 32), headers (an object of at most 32 texts, 4 KiB with their names),
--                                      timeout_ms (1 or more; how long a run may take), backoff_ms (how long it waits after an
--                                      error: ms; a list of at most 64, the last for all that follow; an object of first,
--                                      factor 1..1000 (2), most (3600000) and jitter 0..1 (0.1), or of list and jitter (0)),
--                                      dependencies (jids to wait for, at most 256),
--                                      missing satisfied | reject (satisfied: what a dependency is that does not exist),
--                                      on_conflict replace | keep | reject | move (replace)
--                    count    integer  1..250, of the jobs that have all this in common; then of each
--                      jid    text     1-255 bytes
--                      data   text     JSON, at most max-data bytes; stored as it is
--         At most 250 jobs. More than one have at most 250 tags and throttles in all, each dependency counted twice and
--         eight headers once, and at most 8 MiB of data; those of them that exist already have at most 250 tags,
--         throttles and dependencies.
-- reply   per job   put | replaced | kept | exists, or a list of that and the dependencies that were satisfied already,
--                   completed or unknown
--                   A jid that exists: replace (kept while it runs), keep, reject (exists), move (replace even while it runs).
--                   Earlier jobs of the call exist for the later ones.
-- errors  INVALID_ARGUMENT, UNKNOWN_DEPENDENCY, CYCLE, TOO_DEEP (it is waited for and more than 1,000 jobs stand
--         before it, or the jobs of the call have 2,000 in all)
-- keys    {ns}:job:<jid> {ns}:data:<jid> {ns}:waiting:<q> {ns}:scheduled:<q> {ns}:blocked:<q> {ns}:due {ns}:queues {ns}:wake:<q>
--         {ns}:queues:wake {ns}:seq {ns}:tag:<t> {ns}:tags {ns}:dependencies:<jid> {ns}:dependents:<jid>
local HEAD, WIDTH, MOST_EXTRAS, MOST_BYTES = 4, 2, 250, 8388608
local OPTIONS = put_options.known({ delay_ms = true, dependencies = true, missing = true, on_conflict = true })
local ON_CONFLICT = { replace = true, keep = true, reject = true, move = true }

-- What the call in progress has yet to write: jid -> the jids it will wait for; the jids that wait for others no longer;
-- how far it has looked for circles; how many ties those have that exist already.
local links, left, search, ties

local function parse_options(value)
  local options = check.object(value, 'options', OPTIONS)
  local on_conflict = options.on_conflict or 'replace'
  if not ON_CONFLICT[on_conflict] then
    fail('INVALID_ARGUMENT', 'on_conflict must be replace, keep, reject or move')
  end
  local parsed = put_options.parse(options)
  parsed.delay_ms = check.span(options.delay_ms or 0, 'delay_ms')
  parsed.dependencies = dependency.parse(options.dependencies, 'dependencies')
  parsed.reject_missing = dependency.parse_missing(options.missing)
  parsed.on_conflict = on_conflict
  parsed.extras = #(parsed.tags or {}) + #(parsed.throttles or {}) + 2 * #(parsed.dependencies or {}) + ceil(parsed.header_count / 8)
  return parsed
end

local PLAIN = { priority = 0, delay_ms = 0, on_conflict = 'replace', extras = 0 }

-- Groups of a call mostly have the same options: each text is read once. Nobody changes what is read.
local function read_options(value, read)
  if value == '' then
    return PLAIN
  end
  local options = read[value] or parse_options(value)
  read[value] = options
  return options
end

-- What to answer when `jid` exists already, or nil to put.
local function conflict(existing, on_conflict)
  local running = existing[STATE] == RUNNING
  if on_conflict == 'keep' or (on_conflict == 'replace' and running) then
    return 'kept'
  elseif on_conflict == 'reject' then
    return 'exists'
  end
end

-- The dependencies to wait for; those satisfied already. A job that does not exist yet cannot wait for itself either.
local function blockers(jid, options)
  dependency.refuse_cycle(jid, options.dependencies, links, search)
  local open, satisfied = dependency.split(options.dependencies, options.reject_missing)
  dependency.mark(open)
  return open, satisfied
end

-- What a job that takes the place of another has of it: the lock of who runs it is lost, and who waits for it still does.
local function inherit(job, token, had_dependents, tracked)
  if token then
    record.set_run(job, token)
    record.set_rare(job, LOST_REASON, 'r')
  end
  record.set_rare(job, HAS_DEPENDENTS, had_dependents)
  record.set_rare(job, TRACKED, tracked)
end

local function put(jid, queue, kind, data, options)
  local existing = state.load(jid)
  ties = existing and ties + standing.ties(existing) or ties
  local refusal = existing and conflict(existing, options.on_conflict)
  if refusal then
    return refusal
  end
  local open, satisfied
  if options.dependencies then
    open, satisfied = blockers(jid, options)
  end
  local token, had_dependents, tracked
  if existing then
    token, had_dependents, tracked = existing[TOKEN], record.rare(existing, HAS_DEPENDENTS), record.rare(existing, TRACKED)
    local had_dependencies = record.rare(existing, HAS_DEPENDENCIES)
    if had_dependencies then
      left[#left + 1] = jid
    end
    links[jid] = (links[jid] or had_dependencies) and {} or nil
  end
  local job = state.create(jid, kind, queue, options.priority, data)
  if options ~= PLAIN then
    put_options.apply(job, options)
  end
  if existing then
    inherit(job, token, had_dependents, tracked)
  end
  if open and #open > 0 then
    links[jid] = open
    state.block(job, now + options.delay_ms)
  else
    state.wait_after(job, options.delay_ms)
  end
  local answer = existing and 'replaced' or 'put'
  return satisfied and #satisfied > 0 and { answer, unpack(satisfied) } or answer
end

-- The core puts the halves of what is refused in these words.
local function refuse_too_much_there()
  local most = 'more than ' .. MOST_EXTRAS .. ' tags, throttles and dependencies in all'
  fail('INVALID_ARGUMENT', 'jobs that exist already have ' .. most .. '; put fewer at a time')
end

local function refuse_too_much(extras)
  if extras > MOST_EXTRAS then
    fail('INVALID_ARGUMENT', 'jobs have more than ' .. MOST_EXTRAS .. ' tags, throttles and, twice, dependencies in all')
  end
  fail('INVALID_ARGUMENT', 'jobs have more than ' .. MOST_BYTES .. ' bytes of data in all')
end

-- The dependencies of what was replaced go, those of what was put come.
local function write_links()
  dependency.unlink_all(left)
  dependency.link_all(links)
end

-- Those from `first` to `last` of a call's jobs, if there are any, wait in `queue` in the order of the list.
local function pass_new(queue, first, last, jids, names, records, scores)
  if queue then
    local way = state.way(false, keys.waiting(queue), false, false, WAITING, queue, now)
    state.pass(way, first, last, jids, names, records, nil, scores)
  end
end

-- Puts jobs without options, each there once, if none of them exists yet. Whether it did.
local function put_plain(argv, groups, jids)
  local count, prefix, names = #jids, keys.job(''), {}
  for index = 1, count do
    names[index] = prefix .. jids[index]
  end
  if call('EXISTS', unpack(names)) > 0 then
    return false
  end
  state.check_jids(jids)
  local index, records, scores = 0, {}, ordinals(commit.draw_seq(count) + 1, count)
  local queue, first
  for at = 1, #groups do
    local group = groups[at]
    if group.queue ~= queue then
      pass_new(queue, first, index, jids, names, records, scores)
      queue, first = group.queue, index + 1
    end
    local head, far_head = record.new_head(queue, group.kind, false), nil
    for item = group.first, group.last, WIDTH do
      local data = argv[item + 1]
      index = index + 1
      if #data > INLINE_BYTES then
        far_head = far_head or record.new_head(queue, group.kind, true)
        records[index] = far_head .. scores[index] .. '\0'
        state.set_text(keys.data(jids[index]), data)
      else
        records[index] = head .. scores[index] .. '\0' .. data
      end
    end
  end
  pass_new(queue, first, index, jids, names, records, scores)
  return true
end

-- Puts each as its options say: the reply.
local function put_all(argv, groups, jids)
  local reply, loaded, index = {}, 0, 0
  links, left, search, ties = {}, {}, { steps = 0 }, 0
  for at = 1, #groups do
    local group = groups[at]
    for item = group.first, group.last, WIDTH do
      index = index + 1
      if index > loaded then
        loaded = state.load_some(jids, index)
      end
      reply[index] = put(argv[item], group.queue, group.kind, argv[item + 1], group.options)
      if ties > MOST_EXTRAS and #jids > 1 then
        refuse_too_much_there()
      end
    end
  end
  write_links()
  return reply
end

local function check_data(data, max_data, index, count)
  if data == '' or #data > max_data then
    local place = count > 1 and 'jobs[' .. (index - 1) .. '].' or ''
    fail('INVALID_ARGUMENT', place .. 'data has ' .. #data .. ' bytes, 1 to ' .. max_data .. ' are allowed')
  end
end

-- Puts a job without options that is the only one, in no unit; nil if it exists already.
local function put_alone(jid, queue, kind, data)
  check.name(queue, 'queue')
  check.name(kind, 'kind')
  check_data(data, config.get('max-data'), 1, 1)
  local name = keys.job(jid)
  -- Named twice, the job counts for two: 1 is the token alone.
  local found = call('EXISTS', name, name, keys.wake(queue))
  if found > 1 then
    return nil
  end
  state.check_jid(jid)
  local score, far = text(commit.draw_seq(1) + 1), #data > INLINE_BYTES
  local stored = record.new_head(queue, kind, far) .. score .. '\0' .. (far and '' or data)
  state.put_alone(queue, jid, score, found == 1, name, stored, far and data or nil)
  return 'put'
end

local function width_of()
  return WIDTH
end

-- The jids are checked as they are loaded; nothing is written before the last job was checked.
operation('queue_put', 'grow', function(argv)
  if #argv == 2 + HEAD + WIDTH and argv[5] == '' and argv[6] == '1' and not meta.events then
    local alone = put_alone(argv[7], argv[3], argv[4], argv[8])
    if alone then
      return alone
    end
  end
  local count, begins = check.groups(argv, 3, HEAD, width_of, MAX_ITEMS)
  local max_data, read, groups, jids, distinct = config.get('max-data'), {}, {}, {}, {}
  local total, extras, bytes, plain = 0, 0, 0, not meta.events and count > 0
  for index = 1, #begins - 1 do
    local at = begins[index]
    local group = {
      queue = check.name(argv[at], 'queue'), kind = check.name(argv[at + 1], 'kind'), options = read_options(argv[at + 2], read),
      first = at + HEAD, last = begins[index + 1] - 1,
    }
    groups[index], plain = group, plain and group.options == PLAIN
    for item = group.first, group.last, WIDTH do
      local jid, data = argv[item], argv[item + 1]
      if data == '' or #data > max_data then
        check_data(data, max_data, total + 1, count)
      end
      if distinct[jid] then
        plain = false
      end
      distinct[jid] = true
      total = total + 1
      jids[total] = jid
      bytes = bytes + #data
    end
    extras = extras + (group.last - group.first + 1) / WIDTH * group.options.extras
    if count > 1 and (extras > MOST_EXTRAS or bytes > MOST_BYTES) then
      refuse_too_much(extras)
    end
  end
  state.begin()
  local reply = plain and put_plain(argv, groups, jids) and 'put' or answers(put_all(argv, groups, jids))
  state.commit()
  return reply
end, nil, true)
