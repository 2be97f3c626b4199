-- Ends all sessions of a user, however many, but perhaps one: whatever began before the new epoch is over.
--
-- KEYS: the owner's epoch and index; the session that asks (or the epoch again). ARGV[1], packed:
--   given     the time to go by, in milliseconds; 0 for the server's
--   lives     milliseconds after which no session of before can be there
--   guarded   1 if it is a session that asks, which must be there itself
--   keeps     1 if that one is kept
-- Answers '0' if the one that asks has ended itself.
local given, lives, guarded, keeps = unpack(cmsgpack.unpack(ARGV[1]))
local epoch = epoch_of(KEYS[1])
local now = clock(given)
local asks = guarded == 1 and find(KEYS[3], epoch, now)
if guarded == 1 and not asks then return '0' end
-- Later than any before, even if the one before was lost and the time is an earlier one.
local last = math.max(epoch or 0, asks and asks.epoch or 0)
local next = math.max(last + 1, now)
lives = math.max(lives, redis.call('PTTL', KEYS[1]))
put(KEYS[1], plain(next), lives)
local id, left = keeps == 1 and asks.fields['@d'], redis.call('PTTL', KEYS[2])
local entry = id and read(redis.pcall('HGET', KEYS[2], id))
redis.call('UNLINK', KEYS[2])
if keeps == 1 then
  asks.epoch = next
  redis.call('SET', KEYS[3], close(asks), 'KEEPTTL')
  if type(entry) == 'string' then
    redis.call('HSET', KEYS[2], id, entry)
    extend(KEYS[2], left > 0 and left or lives)
  end
end
return '1'
