-- Bans a bucket, or lifts its ban, or forgets all of it. What was used of its limit stays but for the last.
--
-- KEYS[1]: the bucket, as 'check.lua' says. ARGV[1], packed:
--   given     the time to go by, in microseconds; 0 for the server's
--   length    microseconds; 0 lifts the ban
--   longest   0, or: double the length for each ban in a row, up to this, and leave one that is in force alone
--   lives     microseconds that what is stored may have to live on for the limit's sake
--   forgets   whether what was used is forgotten, too
-- Answers when the ban ends, in microseconds.
local given, length, longest, lives, forgets = unpack(cmsgpack.unpack(ARGV[1]))
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
local reset, known, after = string.match(state, '^(R%d+,(%d+);)(.*)$')
if reset then
  state = after
  known = tonumber(known)
  if known <= now or known > now + 2 * LONGEST_BAN then reset = nil end
end
local banned, level, forgotten, rest = string.match(state, '^B(%d+),(%d+),(%d+);(.*)$')
local before = 0
if banned then
  -- Refusals that come before a ban is known, here or in other processes, are no reason for another.
  local ends = tonumber(banned)
  if longest > 0 and ends > now and ends <= now + LONGEST_BAN then return banned end
  state = rest
  if tonumber(forgotten) > now then before = math.min(60, tonumber(level)) end
end

local function store(ban, ttl)
  if given > 0 then ttl = ttl + 86400000 end
  redis.call('SET', KEYS[1], (reset or '') .. ban .. state, 'PX', string.format('%.0f', math.max(left, ttl)))
end

lives = math.ceil(lives / 1000) + 1
if length == 0 then
  if forgets then state = '' end
  -- A process that learnt before what was used or banned may yet claim it, for as long as that lasts. What lasts
  -- for longer than any ban is not from here.
  left = math.min(left, 2 * LONGEST_BAN / 1000)
  reset = string.format('R%.0f,%.0f;', now, now + math.max(left, lives) * 1000)
  store('', lives)
  return '0'
end
if longest > 0 then length = math.min(longest, length * 2 ^ before) end
local ends = now + length
-- Whoever behaves for as long as the ban lasted begins anew.
local clean = ends + length
store(string.format('B%.0f,%.0f,%.0f;', ends, before + 1, clean), math.max(math.ceil((clean - now) / 1000) + 1, lives))
return string.format('%.0f', ends)
