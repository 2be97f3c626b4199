-- Prolongs a lease that is still the asker's. Never brings one back: this may run after its end.
-- KEYS 1 the lease
-- ARGV 1 token  2 time to live in ms
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return '0' end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return '1'
