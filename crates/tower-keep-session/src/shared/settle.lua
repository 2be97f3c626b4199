-- The ticket of a session was used: the one before it leads there only for its grace from now on.
--
-- KEYS: the session; the one before. ARGV[1], packed:
--   digest    that of the one before
--   lasts     milliseconds for which it is remembered where it went
local digest, lasts = unpack(cmsgpack.unpack(ARGV[1]))
local session = find(KEYS[1], 0)
if not session or session.fields['@p'] ~= digest then return '0' end
session.fields['@p'] = nil
redis.call('SET', KEYS[1], close(session), 'KEEPTTL')
local moved = string.match(read(redis.pcall('GET', KEYS[2])) or '', '^(t%x*)w$')
if moved then put(KEYS[2], moved, lasts) end
return '1'
