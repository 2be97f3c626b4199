-- Bans a bucket, or lifts its ban. What was used of its limit stays.
--
-- KEYS[1]: the bucket. ARGV[1], packed:
--   given     the time to go by, in microseconds; 0 for the server's
--   length    microseconds; 0 lifts the ban
--   longest   0, or: double the length for each ban in a row, up to this, and leave one that is in force alone
--   lives     microseconds that what is stored may have to live on for the limit's sake
-- Answers when the ban ends, in microseconds.
local given, length, longest, lives = unpack(cmsgpack.unpack(ARGV[1]))
-- With a day for clocks that differ.
local LONGEST_BAN = 367 * 24 * 3600 * 1000000
local now = given
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local text = redis.pcall('GET', KEYS[1])
-- By another quota than the policy's own, what was used may have to live on for longer.
local left = redis.call('PTTL', KEYS[1])
local state = type(text) == 'string' and text or ''
local banned, level, forgotten, rest = string.match(state, '^B(%d+),(%d+),(%d+);(.*)$')
local before = 0
if banned then
  -- Refusals that come before a ban is known, here or in other processes, are no reason for another.
  local ends = tonumber(banned)
  if longest > 0 and ends > now and ends <= now + LONGEST_BAN then return banned end
  state = rest
  if tonumber(forgotten) > now then before = math.min(60, tonumber(level)) end
end
if length == 0 then
  if state == '' then
    redis.call('UNLINK', KEYS[1])
  else
    local ttl = math.max(left, math.ceil(lives / 1000) + 1)
    redis.call('SET', KEYS[1], state, 'PX', string.format('%.0f', ttl))
  end
  return '0'
end
if longest > 0 then length = math.min(longest, length * 2 ^ before) end
local ends = now + length
-- Whoever behaves for as long as the ban lasted begins anew.
local clean = ends + length
local ttl = math.max(math.ceil((clean - now) / 1000), math.ceil(lives / 1000)) + 1
if given > 0 then ttl = ttl + 86400000 end
ttl = math.max(left, ttl)
state = string.format('B%.0f,%.0f,%.0f;', ends, before + 1, clean) .. state
redis.call('SET', KEYS[1], state, 'PX', string.format('%.0f', ttl))
return string.format('%.0f', ends)
