-- Asks for the lease of an entry that is still as the asker has seen it.
-- KEYS 1 the lease  2 the entry
-- ARGV 1 token  2 time to live in ms  3 the first bytes of the entry as it was seen, or *
-- Answers: c, the entry is another one now; g, granted; w and ms, held by another for so long; or how the
-- last one ended, where that is remembered.
if ARGV[3] ~= '*' and redis.call('GETRANGE', KEYS[2], 0, 7) ~= ARGV[3] then return 'c' end
local held = redis.call('GET', KEYS[1])
if not held then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 'g'
end
if #held == 1 then return held end
return 'w' .. redis.call('PTTL', KEYS[1])
