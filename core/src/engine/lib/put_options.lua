-- The options of a put, for every operation that places jobs.
local put_options = {}

local MAX_ROUTE, MAX_RETRIES = 64, 255

-- What jobs and recurring jobs alike may say of themselves.
put_options.SHARED = { 'priority', 'retries', 'tags', 'throttles', 'route' }

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

-- The shared ones, with their defaults.
function put_options.parse(options)
  local retries = put_options.retries(options.retries or RETRIES_DEFAULT)
  return {
    priority = put_options.priority(options.priority or 0),
    retries = retries ~= RETRIES_DEFAULT and retries or nil,
    tags = texts.distinct(check.names(options.tags or {}, 'tags', tags.most)),
    throttles = throttle.ids(options.throttles, 'throttles'),
    route = put_options.route(options.route),
  }
end

-- Writes the shared ones into a new job, but its priority.
function put_options.apply(job, options)
  record.set_rare(job, RETRIES, options.retries)
  record.set_rare(job, TAGS, options.tags)
  record.set_rare(job, THROTTLES, options.throttles)
  record.set_rare(job, ROUTE, options.route)
end

function put_options.check_data(data, max_data, name)
  if type(data) ~= 'string' or data == '' or #data > max_data then
    local size = type(data) == 'string' and #data or 0
    fail('INVALID_ARGUMENT', name .. ' has ' .. size .. ' bytes, 1 to ' .. max_data .. ' are allowed')
  end
  return data
end

return put_options
