-- Puts off the end of a session that is still there, never beyond its last.
--
-- KEYS[1]: the session. ARGV[1], packed: given (milliseconds; 0 for the server's time), idle.
local given, idle = unpack(cmsgpack.unpack(ARGV[1]))
local now = given
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local ends = redis.pcall('HGET', KEYS[1], '@a')
if type(ends) ~= 'string' then return '0' end
local lives = math.max(1, math.min(idle, tonumber(ends) - now))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', lives))
return '1'
