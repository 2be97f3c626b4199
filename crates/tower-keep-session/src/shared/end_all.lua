-- Ends all sessions of a user, however many, but perhaps one: whatever began before the new epoch is over.
--
-- KEYS: the owner's epoch and index; the session to keep (or the epoch again). ARGV[1], packed:
--   given     the time to go by, in milliseconds; 0 for the server's
--   lives     milliseconds after which no session of before can be there
--   keeps     1 if one is kept
--   digest    its name in the index
-- Answers '0' if the one to keep has ended itself.
local given, lives, keeps, digest = unpack(cmsgpack.unpack(ARGV[1]))
local epoch = epoch_of(KEYS[1])
if keeps == 1 then
  local system = read(redis.pcall('HMGET', KEYS[3], '@a', '@e'))
  if not system or not whole(system[1]) or (whole(system[2]) or 0) < epoch then return '0' end
end
-- Later than any before, even if the one before was lost.
local next = plain(math.max(epoch + 1, clock(given)))
lives = math.max(lives, redis.call('PTTL', KEYS[1]))
redis.call('SET', KEYS[1], next, 'PX', plain(lives))
local entry, left = read(redis.pcall('HGET', KEYS[2], digest)), redis.call('PTTL', KEYS[2])
redis.call('UNLINK', KEYS[2])
if keeps == 1 then
  redis.call('HSET', KEYS[3], '@e', next)
  if type(entry) == 'string' then
    redis.call('HSET', KEYS[2], digest, entry)
    redis.call('PEXPIRE', KEYS[2], plain(left > 0 and left or lives))
  end
end
return '1'
