-- What a worker asks for: how many jobs, of which queues, and how they share in it.
local reserve_request = {}

local MAX_QUEUES, MAX_WEIGHT = 64, 1000

-- '<draw>:<weight>,…', a weight for each of `count` queues: the list of them, and the draw as a part of 1.
local function parse_weights(share, count)
  local draw, list = match(share or '', '^(%d+):([%d,]+)$')
  if not draw then
    fail('INVALID_ARGUMENT', "share must be '0', '1' or weights")
  end
  local weights = {}
  for weight in list:gmatch('[^,]+') do
    weights[#weights + 1] = check.numeral(weight, 'share', 1, MAX_WEIGHT)
  end
  if #weights ~= count then
    fail('INVALID_ARGUMENT', 'share has ' .. #weights .. ' weights for ' .. count .. ' queues')
  end
  return weights, check.numeral(draw, 'share', 0, 999999) / 1000000
end

-- The arguments from `first` on: worker, limit, share, then queues: from argument `first_queue` to `last_queue`.
function reserve_request.parse(argv, first, first_queue, last_queue)
  local request = { worker = check.name(argv[first], 'worker'), queues = {}, places = {}, times = {}, done = 0 }
  request.limit = check.numeral(argv[first + 1] or '', 'limit', 0, MAX_ITEMS)
  local share = argv[first + 2]
  request.share = share == '1'
  local weights
  if share ~= '0' and share ~= '1' then
    weights, request.draw = parse_weights(share, last_queue - first_queue + 1)
    request.weights = {}
  end
  local places = request.places
  for index = first_queue, last_queue do
    local queue = check.name(argv[index], 'queue')
    if not places[queue] then
      request.queues[#request.queues + 1] = queue
      places[queue] = #request.queues
      if weights then
        request.weights[queue] = weights[index - first_queue + 1]
      end
    end
  end
  if #request.queues == 0 or #request.queues > MAX_QUEUES then
    fail('INVALID_ARGUMENT', 'queues: 1 to ' .. MAX_QUEUES .. ' are allowed, not ' .. #request.queues)
  end
  return request
end

return reserve_request
