-- The ticket of a session was used: those before it lead there only for their grace from now on.
--
-- KEYS: the session; those before. ARGV[1], packed:
--   given     the time to go by, in milliseconds; 0 for the server's
--   befores   their digests, one after the other
--   lasts     milliseconds for which it is remembered where they went
local given, befores, lasts = unpack(cmsgpack.unpack(ARGV[1]))
local session = find(KEYS[1], 0, clock(given))
if not session or session.fields['@p'] ~= befores then return '0' end
session.fields['@p'] = nil
redis.call('SET', KEYS[1], close(session), 'KEEPTTL')
for i = 2, #KEYS do
  local moved = waits(KEYS[i])
  if moved then put(KEYS[i], moved, lasts) end
end
return '1'
