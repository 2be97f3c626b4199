-- Stores what was fetched under a lease, ends the lease if it is still the asker's, and wakes who waits.
-- An entry that comes late is as good as any: only the lease of who took over is left alone.
-- KEYS 1 the lease, which is also the channel  2 the entry
-- ARGV 1 token  2 the entry  3 its time to live in ms  4 how it ends if it is stored  5 and if not
local stored = redis.pcall('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
local ending = stored.err and ARGV[5] or ARGV[4]
local is_held = redis.call('GET', KEYS[1]) == ARGV[1]
if is_held then redis.call('UNLINK', KEYS[1]) end
if is_held or not stored.err then redis.pcall('PUBLISH', KEYS[1], ending) end
if stored.err then return stored end
return '1'
