-- The options of a put, for every operation that places jobs.
local put_options = {}

local MAX_ROUTE, MAX_RETRIES, MAX_HEADERS, MAX_HEADER_BYTES = 64, 255, 32, 4096

-- What jobs and recurring jobs alike may say of themselves.
put_options.SHARED = { 'priority', 'retries', 'tags', 'throttles', 'route', 'headers', 'timeout_ms', 'backoff_ms' }

-- `known` and the names of the lists, for check.object. While the library loads there is no ipairs.
function put_options.known(known, ...)
  local lists = { put_options.SHARED, ... }
  for at = 1, #lists do
    for index = 1, #lists[at] do
      known[lists[at][index]] = true
    end
  end
  return known
end

function put_options.route(value)
  local route = check.names(value or {}, 'route', MAX_ROUTE)
  return #route > 0 and route or nil
end

function put_options.retries(value)
  return check.integer(value, 'retries', 0, MAX_RETRIES)
end

function put_options.priority(value)
  return check.integer(value, 'priority', -128, 127)
end

-- A table of texts, as JSON: nobody looks into it. Second: how many there are.
function put_options.headers(value)
  if type(value) ~= 'table' then
    fail('INVALID_ARGUMENT', 'headers must be an object of texts')
  end
  local count, bytes = 0, 0
  for name, content in pairs(value) do
    if type(name) ~= 'string' or type(content) ~= 'string' then
      fail('INVALID_ARGUMENT', 'headers must be an object of texts')
    elseif name == '' then
      fail('INVALID_ARGUMENT', 'headers has an empty name')
    end
    count, bytes = count + 1, bytes + #name + #content
    check.note(name, 'headers', MAX_HEADER_BYTES)
    check.note(content, 'headers', MAX_HEADER_BYTES)
  end
  if count > MAX_HEADERS then
    fail('INVALID_ARGUMENT', 'headers has ' .. count .. ' entries, at most ' .. MAX_HEADERS .. ' are allowed')
  elseif bytes > MAX_HEADER_BYTES then
    fail('INVALID_ARGUMENT', 'headers has ' .. bytes .. ' bytes, at most ' .. MAX_HEADER_BYTES .. ' are allowed')
  end
  return count > 0 and encode_json(value) or nil, count
end

function put_options.timeout(value)
  return value ~= nil and check.integer(value, 'timeout_ms', 1, check.LONGEST_MS) or nil
end

-- The shared ones, with their defaults.
function put_options.parse(options)
  local retries = put_options.retries(options.retries or RETRIES_DEFAULT)
  local headers, header_count = put_options.headers(options.headers or {})
  return {
    headers = headers,
    header_count = header_count,
    priority = put_options.priority(options.priority or 0),
    retries = retries ~= RETRIES_DEFAULT and retries or nil,
    tags = texts.distinct(check.names(options.tags or {}, 'tags', tags.most)),
    throttles = throttle.ids(options.throttles, 'throttles'),
    route = put_options.route(options.route),
    timeout_ms = put_options.timeout(options.timeout_ms),
    backoff_ms = backoff.parse(options.backoff_ms),
  }
end

-- Writes the shared ones into a new job, but its priority.
function put_options.apply(job, options)
  record.set_rare(job, RETRIES, options.retries)
  record.set_rare(job, TAGS, options.tags)
  record.set_rare(job, THROTTLES, options.throttles)
  record.set_rare(job, ROUTE, options.route)
  record.set_rare(job, HEADERS, options.headers)
  record.set_rare(job, TIMEOUT_MS, options.timeout_ms)
  record.set_rare(job, BACKOFF_MS, options.backoff_ms)
end

function put_options.check_data(data, max_data, name)
  if type(data) ~= 'string' or data == '' or #data > max_data then
    local size = type(data) == 'string' and #data or 0
    fail('INVALID_ARGUMENT', name .. ' has ' .. size .. ' bytes, 1 to ' .. max_data .. ' are allowed')
  end
  return data
end

return put_options
