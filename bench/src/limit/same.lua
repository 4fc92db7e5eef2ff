#!lua name=same
-- The commands that the engine makes of a job alone, in the same order, with texts as long as its own, and nothing else: but for names
-- no text is made, and nothing is read, checked or decided. What the engine costs beside this is its Lua.
local META, CALL, WAITING, RUNNING = '{mh}:meta', '{mh}:call:00000000beeffeed', '{mh}:waiting:bench', '{mh}:running:bench'
local COMPLETED, HELD, STATS = '{mh}:completed', '{mh}:worker-jobs:bench-host:4242:0123abcd', '{mh}:stats:20780:bench'
-- A record that waits and one that has run, with 60 bytes of payload; what a put and a turn note of themselves; a day's sums.
local PUT, RUN, NOTED, ANSWERED, SUMS = ('p'):rep(86), ('r'):rep(143), ('n'):rep(8), ('a'):rep(73), ('s'):rep(48)
local TOKEN, NOW, LEASE_UNTIL = '1838483138717698', '1795393690154', '1795393750154'

local function begin()
  redis.call('HMGET', META, 'schema', 'clock', 'queues_version', 'events', 'uses', 'token')
  redis.call('TIME')
  redis.call('GET', CALL)
end
-- ARGV number jid payload, which is as long as PUT says
redis.register_function('same_put', function(_, argv)
  local number, jid = argv[1], argv[2]
  local job = '{mh}:job:' .. jid
  begin()
  redis.call('EXISTS', job, job, '{mh}:wake:bench')
  redis.call('INCRBY', '{mh}:seq', '1')
  redis.call('ZADD', WAITING, number, jid)
  redis.call('SET', job, PUT)
  redis.call('SET', CALL, NOTED, 'EX', '600')
  return 'put'
end)
-- ARGV number, then the jid of one that is completed, if there is one; answers the jid of the next, and its payload
redis.register_function('same_turn', function(_, argv)
  local number, ended = argv[1], argv[2]
  begin()
  if ended then
    local job = '{mh}:job:' .. ended
    redis.call('MGET', job)
    redis.call('ZADD', COMPLETED, NOW, ended)
    redis.call('HMGET', STATS, 'sums', 'w1', 'r3')
    redis.call('HSET', STATS, 'sums', SUMS, 'w1', number, 'r3', number)
    redis.call('ZREM', RUNNING, ended)
    redis.call('ZREM', HELD, ended)
    redis.call('SET', job, RUN)
    redis.call('ZCARD', COMPLETED)
  end
  redis.call('ZMSCORE', '{mh}:due', 'bench')
  local jid = redis.call('ZRANGE', WAITING, '0', '1')[1]
  local job = '{mh}:job:' .. jid
  local stored = redis.call('MGET', job)[1]
  redis.call('HSET', META, 'token', TOKEN)
  redis.call('ZADD', RUNNING, LEASE_UNTIL, jid)
  redis.call('ZADD', HELD, LEASE_UNTIL, jid)
  redis.call('ZREM', WAITING, jid)
  redis.call('SET', job, RUN)
  redis.call('SET', CALL, ANSWERED, 'EX', '600')
  return { 'completed', { jid, stored } }
end)
