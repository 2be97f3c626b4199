-- Ends one of a user's sessions by its name in the index, wherever rotations have taken it.
--
-- KEYS: the owner's epoch and index; the session that asks, or any other of the owner's. ARGV[1], packed:
--   given     the time to go by, in milliseconds; 0 for the server's
--   guarded   1 if it is a session that asks, which must be there itself
--   id        the name
--   lasts     milliseconds for which it is remembered that it ended
-- Answers '0' if the one that asks has ended itself, else '1' and the digest of the one that ended, if one did.
local given, guarded, id, lasts = unpack(cmsgpack.unpack(ARGV[1]))
local epoch, now = epoch_of(KEYS[1]), clock(given)
if guarded == 1 and not find(KEYS[3], epoch, now) then return '0' end
local digest = digest_of(read(redis.pcall('HGET', KEYS[2], id)))
if not digest then return '1' end
redis.call('HDEL', KEYS[2], id)
local session = string.sub(KEYS[3], 1, -33) .. digest
if not is_there(session, epoch, now) then return '1' end
put(session, 't', lasts)
return '1' .. digest
