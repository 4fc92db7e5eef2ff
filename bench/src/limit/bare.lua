#!lua name=bare
-- The raw sequence of commands, a function a step: nothing is checked, proved, counted or remembered.
-- KEYS waiting running, ARGV first score, prefix of payloads, then jid payload …
redis.register_function('bare_put', function(keys, argv)
  local score, prefix, texts, places = tonumber(argv[1]), argv[2], {}, {}
  for at = 3, #argv, 2 do
    texts[#texts + 1], texts[#texts + 2] = prefix .. argv[at], argv[at + 1]
    places[#places + 1], places[#places + 2] = string.format('%d', score + at), argv[at]
  end
  redis.call('MSET', unpack(texts))
  redis.call('ZADD', keys[1], unpack(places))
  return 'OK'
end)
-- How many, prefix, end of the lease; answers jid payload …
local function reserve(keys, count, prefix, lease_until)
  local popped, names, leases, reply = redis.call('ZPOPMIN', keys[1], count), {}, {}, {}
  for at = 1, #popped, 2 do
    names[#names + 1] = prefix .. popped[at]
    leases[#leases + 1], leases[#leases + 2] = lease_until, popped[at]
  end
  local payloads = redis.call('MGET', unpack(names))
  redis.call('ZADD', keys[2], unpack(leases))
  for index = 1, #payloads do
    reply[#reply + 1], reply[#reply + 2] = popped[2 * index - 1], payloads[index]
  end
  return reply
end
-- Prefix, and the jids among the arguments from `first` on.
local function complete(keys, prefix, argv, first)
  local names = {}
  for at = first, #argv do
    names[#names + 1] = prefix .. argv[at]
  end
  redis.call('ZREM', keys[2], unpack(argv, first))
  redis.call('DEL', unpack(names))
end
-- ARGV how many, prefix, end of the lease
redis.register_function('bare_reserve', function(keys, argv)
  return reserve(keys, argv[1], argv[2], argv[3])
end)
-- ARGV prefix, then jid …
redis.register_function('bare_complete', function(keys, argv)
  complete(keys, argv[1], argv, 2)
  return 'OK'
end)
-- ARGV how many, prefix, end of the lease, then jid … of those that are completed first
redis.register_function('bare_turn', function(keys, argv)
  if #argv > 3 then
    complete(keys, argv[2], argv, 4)
  end
  return reserve(keys, argv[1], argv[2], argv[3])
end)
