-- Ends all sessions of a user, however many, but perhaps one: whatever began before the new epoch is over.
--
-- KEYS: the owner's epoch and index; the session to keep (or the epoch again). ARGV[1], packed:
--   lives     milliseconds after which no session of before can be there
--   keeps     1 if one is kept
--   digest    its name in the index
-- Answers '0' if the one to keep has ended itself.
local lives, keeps, digest = unpack(cmsgpack.unpack(ARGV[1]))
local epoch = redis.pcall('GET', KEYS[1])
epoch = type(epoch) == 'string' and tonumber(epoch) or 0
if keeps == 1 then
  local system = redis.pcall('HMGET', KEYS[3], '@a', '@e')
  if system.err or not system[1] or (tonumber(system[2]) or 0) < epoch then return '0' end
end
redis.call('SET', KEYS[1], string.format('%.0f', epoch + 1), 'PX', string.format('%.0f', lives))
local entry = redis.pcall('HGET', KEYS[2], digest)
redis.call('UNLINK', KEYS[2])
if keeps == 1 then
  redis.call('HSET', KEYS[3], '@e', string.format('%.0f', epoch + 1))
  if type(entry) == 'string' then
    redis.call('HSET', KEYS[2], digest, entry)
    redis.call('PEXPIRE', KEYS[2], string.format('%.0f', lives))
  end
end
return '1'
