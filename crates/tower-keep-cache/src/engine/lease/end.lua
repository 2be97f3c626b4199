-- Ends a lease that is still the asker's, remembers how for a while if told to, and wakes who waits.
-- KEYS 1 the lease, which is also the channel
-- ARGV 1 token  2 how it ends  3 for how many ms that is remembered, or 0
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return '0' end
if ARGV[3] == '0' then
  redis.call('UNLINK', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
-- A user of an ACL may have no channels: then those who wait find out by themselves.
redis.pcall('PUBLISH', KEYS[1], ARGV[2])
return '1'
