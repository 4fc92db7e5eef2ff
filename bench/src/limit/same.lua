#!lua name=same
-- The commands that the engine makes of a job alone, with arguments of the same lengths in the same order, and nothing else: nothing
-- is read, checked or decided. What the engine costs beside this is its Lua.
local META, CALL, WAITING, RUNNING = '{mh}:meta', '{mh}:call:00000000beeffeed', '{mh}:waiting:bench', '{mh}:running:bench'
local COMPLETED, HELD, STATS = '{mh}:completed', '{mh}:worker-jobs:bench-host:4242:0123abcd', '{mh}:stats:20780:bench'
local PUT, RUN = '\1\0bench\0mwsj1pgq\0echo\0', ('r'):rep(70)
local ANSWER, SUMS = ('a'):rep(60), ('s'):rep(48)

local function begin()
  redis.call('HMGET', META, 'schema', 'clock', 'queues_version', 'events', 'uses', 'token')
  redis.call('TIME')
  redis.call('GET', CALL)
end
-- ARGV number jid payload
redis.register_function('same_put', function(_, argv)
  local number, jid = argv[1], argv[2]
  local job = '{mh}:job:' .. jid
  begin()
  redis.call('EXISTS', job, job, '{mh}:wake:bench')
  redis.call('INCRBY', '{mh}:seq', '1')
  redis.call('ZADD', WAITING, number, jid)
  redis.call('SET', job, PUT .. number .. '\0' .. argv[3])
  redis.call('SET', CALL, '\163' .. number .. '\163put', 'EX', '600')
  return 'put'
end)
-- ARGV number, then the jid of one that is completed, if there is one; answers the jid of the next, and its payload
redis.register_function('same_turn', function(_, argv)
  local number, ended = argv[1], argv[2]
  begin()
  if ended then
    local job = '{mh}:job:' .. ended
    local stored = redis.call('MGET', job)[1]
    redis.call('ZADD', COMPLETED, '1795393690154', ended)
    redis.call('ZREM', RUNNING, ended)
    redis.call('ZREM', HELD, ended)
    redis.call('HMGET', STATS, 'sums', 'w1', 'r3')
    redis.call('HSET', STATS, 'sums', SUMS, 'w1', number, 'r3', number)
    redis.call('SET', job, 'c' .. stored:sub(2))
    redis.call('ZCARD', COMPLETED)
  end
  redis.call('ZMSCORE', '{mh}:due', 'bench')
  local jid = redis.call('ZRANGE', WAITING, '0', '1')[1]
  local job = '{mh}:job:' .. jid
  local stored = redis.call('MGET', job)[1]
  redis.call('HSET', META, 'token', number)
  redis.call('ZADD', RUNNING, '1795393750154', jid)
  redis.call('ZADD', HELD, '1795393750154', jid)
  redis.call('ZREM', WAITING, jid)
  redis.call('SET', job, RUN .. stored)
  redis.call('SET', CALL, number .. ANSWER .. jid, 'EX', '600')
  return { 'completed', { jid, stored } }
end)
