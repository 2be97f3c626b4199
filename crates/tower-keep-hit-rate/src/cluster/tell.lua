-- A process tells how it stands since its start. What is told again, or late, is left out.
-- KEYS[1]: the snapshots by process, a hash: the number of the telling (16 digits), then the snapshot.
-- KEYS[2]: the processes by when they told, a sorted set, in milliseconds.
-- ARGV[1]: the process, the number, the time in milliseconds (0: the server's) and the time to live, of 16
-- characters each, then the snapshot. Answers with nothing.
local MOST, LONGEST = 256, 49152
local said = ARGV[1]
local process = string.sub(said, 1, 16)
local number = tonumber(string.sub(said, 17, 32))
local now = tonumber(string.sub(said, 33, 48))
local lives = tonumber(string.sub(said, 49, 64))
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Neither is of use without the other, and nobody but this script makes them.
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' or redis.call('TYPE', KEYS[2]).ok ~= 'zset'
  or redis.call('HLEN', KEYS[1]) ~= redis.call('ZCARD', KEYS[2]) or redis.call('HLEN', KEYS[1]) > MOST then
  redis.call('UNLINK', KEYS[1], KEYS[2])
end

local function forget(processes)
  if #processes > 0 then
    redis.call('HDEL', KEYS[1], unpack(processes))
    redis.call('ZREM', KEYS[2], unpack(processes))
  end
end

forget(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - lives))
-- The clock was ahead.
for _, ahead in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. string.format('%d', now), '+inf')) do
  redis.call('ZADD', KEYS[2], now, ahead)
end

local length = redis.call('HSTRLEN', KEYS[1], process)
if length >= 16 and length <= LONGEST + 16 then
  local last = tonumber(string.sub(redis.call('HGET', KEYS[1], process), 1, 16))
  if last and last >= number then return '' end
end
redis.call('HSET', KEYS[1], process, string.sub(said, 17, 32) .. string.sub(said, 65))
redis.call('ZADD', KEYS[2], now, process)

local excess = redis.call('ZCARD', KEYS[2]) - MOST
if excess > 0 then forget(redis.call('ZRANGE', KEYS[2], 0, excess - 1)) end
redis.call('PEXPIRE', KEYS[1], lives)
redis.call('PEXPIRE', KEYS[2], lives)
return ''
