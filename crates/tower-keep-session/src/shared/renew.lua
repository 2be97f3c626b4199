-- Puts off the end of a session that is still there, never beyond its last; not again if that was just done.
-- Brings it nearer if it is further off than it can be by the rules of whoever asks.
--
-- KEYS[1]: the session. ARGV[1], packed: given (milliseconds; 0 for the server's time), idle.
local given, idle = unpack(cmsgpack.unpack(ARGV[1]))
local head = read(redis.pcall('GETRANGE', KEYS[1], 0, 31))
local ends = whole(head and string.match(head, '^s(%d+) '))
if not ends then return '0' end
local lives = math.max(1, math.min(idle, ends - clock(given)))
local left = redis.call('PTTL', KEYS[1])
if left >= lives - lives / 10 and left <= idle then return '0' end
redis.call('PEXPIRE', KEYS[1], plain(lives))
return '1'
