-- Puts off the end of a session that is still there, never beyond its last; not again if that was just done.
-- Brings it nearer if it is further off than it can be by the rules of whoever asks.
--
-- KEYS[1]: the session. ARGV[1], packed: given (milliseconds; 0 for the server's time), idle.
-- Answers with the time it went by.
local given, idle = unpack(cmsgpack.unpack(ARGV[1]))
local now = clock(given)
local session = find(KEYS[1], 0, now)
if not session then return plain(now) end
local lives, left = math.min(idle, session.ends - now), session.stays - now
if left < lives - lives / 10 or left > idle then keep(KEYS[1], session, idle, now) end
return plain(now)
