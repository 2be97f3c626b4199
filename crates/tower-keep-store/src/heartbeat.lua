-- A process says that it lives, and is told how many do.
-- KEYS[1]: the sorted set of processes by their last heartbeat. ARGV[1]: the process.
if redis.call('TYPE', KEYS[1]).ok ~= 'zset' then
  redis.call('UNLINK', KEYS[1])
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 3000)
redis.call('PEXPIRE', KEYS[1], 3000)
return string.format('%d', redis.call('ZCARD', KEYS[1]))
