-- Writes a checkpoint, unless there is one of the same epoch that is not older.
-- KEYS[1]  the checkpoint
-- ARGV     1 the new one: 8 bytes of version, 8 of epoch, 8 of position (big-endian), and the rest
--          2 time to live in ms
local kept = redis.pcall('GETRANGE', KEYS[1], 0, 23)
if type(kept) == 'string' and #kept == 24 and string.sub(kept, 1, 16) == string.sub(ARGV[1], 1, 16)
  and string.sub(kept, 17) >= string.sub(ARGV[1], 17, 24) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
