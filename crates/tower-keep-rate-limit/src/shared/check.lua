-- Decides a batch of requests, in their order, each against all of its buckets at once.
--
-- KEYS: the buckets of the batch, each once. ARGV[1], packed:
--   process   names the process that asks, for the slots that it holds
--   given     the time to go by, in microseconds; 0 for the server's
--   rules     {kind, …}: {1, parts, interval, burst}, {2, limit, part}, {3, limit, window}, {4, limit, lease}
--   claims    {key, rule, text}: what is known of a bucket from before the server forgot
--   returns   {key, rule, units, back}: given back, unless that happened by itself at the moment 'back'; more
--             is used where negative
--   held      {key, rule, count}: the slots that the process holds
--   requests  {want, extra, {{key, rule, cost, keep, shadow}, …}}
-- Answers, packed: the time; how many of each request pass; how many of them each of its shadows would have let
-- pass, in their order; and what each bucket is now.
--
-- Numbers are exact up to 2^53. None of 16 digits may become a string but by '%.0f'.
local process, given, rules, claims, returns, held, requests = unpack(cmsgpack.unpack(ARGV[1]))
local floor, ceil, min, max = math.floor, math.ceil, math.min, math.max
local match, format = string.match, string.format
local MOST = 9007199254740992
local COUNTED = 17
-- With a day for clocks that differ.
local LONGEST_BAN = 367 * 24 * 3600 * 1000000

local now = given
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local function number(text)
  if #text < 1 or #text > 16 then return nil end
  local value = tonumber(text)
  if value and value <= MOST then return value end
  return nil
end

-- One bucket as it is stored: its kind of state, and its ban. What cannot be read is nothing used.
local function parse(text)
  local bucket = {}
  if string.byte(text) == 66 then -- 'B'
    local banned, level, forgotten, rest = match(text, '^B(%d+),(%d+),(%d+);(.*)$')
    if banned then
      banned, level, forgotten = number(banned), number(level), number(forgotten)
      -- One that lasts longer than any can is from another clock.
      local is_one = banned and level and forgotten and banned <= forgotten
      if is_one and banned <= now + LONGEST_BAN and forgotten <= now + 2 * LONGEST_BAN then
        bucket.banned, bucket.level, bucket.forgotten = banned, level, forgotten
      end
      text = rest
    end
  end
  local micros, parts = match(text, '^(%d+)/?(%d*)$')
  if micros then
    local at, after = number(micros), number(parts) or 0
    if at then bucket.kind, bucket.at, bucket.rest = 1, at, after end
    return bucket
  end
  local kind, index, units = match(text, '^([rw]) (%d+)(.*)$')
  index = index and number(index)
  if not index then return bucket end
  bucket.index, bucket.units = index, {}
  bucket.kind = kind == 'r' and 2 or 3
  local i = 0
  for unit in string.gmatch(units, ' (%d+)') do
    i = i + 1
    if i <= COUNTED then bucket.units[i] = min(number(unit) or 0, 4294967295) end
  end
  return bucket
end

-- Debts: what of the limit is used, in the rule's own measure.
local debts = {}

debts[1] = function(bucket, rule)
  local parts, depth = rule[2], rule[3] * rule[4]
  if bucket.kind ~= 1 or bucket.at < now then return 0 end
  local ahead = bucket.at - now
  if ahead > floor(depth / parts) then
    bucket.dirty = true -- from another clock: heals
    return depth
  end
  return min(depth, ahead * parts + min(bucket.rest, parts - 1))
end

-- Counters of a ring or a window as they are at the present, their sum, and the number of the newest. A clock
-- that steps back a little forgets nothing; what lies further ahead is from another clock, and heals.
local function present(bucket, rule)
  local kind = rule[1]
  local counted = kind == 2 and COUNTED or 1
  local index, units, passed = floor(now / rule[3]), {}, counted
  if bucket.kind == kind then
    local ahead = bucket.index - index
    if ahead > max(1, counted - 1) then
      bucket.dirty = true
    elseif ahead > 0 then
      index = bucket.index
    end
    passed = max(0, index - bucket.index)
  end
  for i = 1, counted do units[i] = 0 end
  for i = 1, counted - passed do units[i + passed] = bucket.units[i] or 0 end
  local sum = 0
  for i = 1, counted do sum = sum + units[i] end
  return sum, units, index
end

debts[2] = function(bucket, rule) return (present(bucket, rule)) end
debts[3] = debts[2]
debts[4] = function(bucket) return bucket.taken end

local function depth(rule) return rule[1] == 1 and rule[3] * rule[4] or rule[2] end
local function step(rule) return rule[1] == 1 and rule[3] or 1 end

-- Sets a bucket so that so much is used.
local function become(bucket, rule, debt)
  local kind = rule[1]
  bucket.dirty = true
  if kind == 1 then
    local parts = rule[2]
    bucket.kind = 1
    bucket.at = debt > 0 and now + floor(debt / parts) or 0
    bucket.rest = debt - floor(debt / parts) * parts
    bucket.idle = max(now, bucket.at) + 1
  elseif kind == 4 then
    bucket.own = max(0, bucket.own + debt - bucket.taken)
    bucket.taken = debt
  else
    local sum, units, index = present(bucket, rule)
    units[1] = units[1] + max(0, debt - sum)
    bucket.kind, bucket.index, bucket.units = kind, index, units
    bucket.idle = (index + #units) * rule[3]
  end
end

-- Gives units back, as far as they have not come back by themselves, which is done at the moment 'back'.
local function give(bucket, rule, units, back)
  if now >= back then return end
  local kind = rule[1]
  if kind == 1 then
    local refund = min(units * rule[3], (back - now) * rule[2])
    become(bucket, rule, max(0, debts[1](bucket, rule) - refund))
    return
  end
  become(bucket, rule, debts[kind](bucket, rule))
  local counted = #bucket.units
  local age = max(0, bucket.index - max(0, floor(back / rule[3]) - counted))
  for i = age + 1, counted do
    local given_back = min(bucket.units[i], units)
    bucket.units[i] = bucket.units[i] - given_back
    units = units - given_back
  end
end

local buckets = {}

local function load_slots(key, rule)
  local bucket = {kind = 4, taken = 0, own = 0, lease = rule[3], gone = {}}
  local fields = redis.pcall('HGETALL', KEYS[key])
  if fields.err then
    redis.call('UNLINK', KEYS[key])
    fields = {}
  end
  for i = 1, #fields, 2 do
    local count, lasts = match(fields[i + 1], '^(%d+) (%d+)$')
    count, lasts = count and number(count), lasts and number(lasts)
    -- One that is held for longer than a lease is by another clock.
    if not count or not lasts or lasts <= now or lasts > now + 2000 * rule[3] then
      bucket.gone[#bucket.gone + 1] = fields[i]
    else
      bucket.taken = bucket.taken + count
      if fields[i] == process then bucket.own = count end
    end
  end
  return bucket
end

local function load(key, rule)
  local bucket = buckets[key]
  if bucket then return bucket end
  if rule[1] == 4 then
    bucket = load_slots(key, rule)
  else
    local text = redis.pcall('GET', KEYS[key])
    bucket = type(text) == 'string' and parse(text) or {}
  end
  bucket.rule = rule
  buckets[key] = bucket
  return bucket
end

local function is_banned(bucket) return bucket.banned and bucket.banned > now end

local function available(bucket, rule)
  if is_banned(bucket) then return 0 end
  return floor((depth(rule) - debts[rule[1]](bucket, rule)) / step(rule))
end

for _, claim in ipairs(claims) do
  local rule = rules[claim[2]]
  local bucket = load(claim[1], rule)
  local known = parse(claim[3])
  if rule[1] ~= 4 then
    if known.banned and known.banned > (bucket.banned or 0) then
      bucket.banned, bucket.level, bucket.forgotten = known.banned, known.level, known.forgotten
      bucket.dirty = true
    end
    local claimed = debts[rule[1]](known, rule)
    if claimed > debts[rule[1]](bucket, rule) then become(bucket, rule, claimed) end
  end
end

for _, given_back in ipairs(returns) do
  local rule, units = rules[given_back[2]], given_back[3]
  local bucket = load(given_back[1], rule)
  if units > 0 then
    give(bucket, rule, units, given_back[4])
  else
    become(bucket, rule, min(depth(rule), debts[rule[1]](bucket, rule) - units * step(rule)))
  end
end

for _, holding in ipairs(held) do
  local bucket = load(holding[1], rules[holding[2]])
  bucket.taken = bucket.taken - bucket.own + holding[3]
  bucket.own = holding[3]
  bucket.dirty = true
end

local passed, shadows = {}, {}
for r, request in ipairs(requests) do
  local want, extra, charges = request[1], request[2], request[3]
  local granted = want > 0 and MOST or 0
  for _, charge in ipairs(charges) do
    local rule = rules[charge[2]]
    local bucket = load(charge[1], rule)
    if want > 0 then
      bucket.rule = rule
      debts[rule[1]](bucket, rule) -- heals, whatever is decided
    end
    if granted > 0 and charge[5] == 0 and charge[3] > 0 then
      granted = min(granted, max(0, floor((available(bucket, rule) - charge[4]) / charge[3])))
    end
  end
  if granted > want then
    -- More than was asked for only while there is plenty.
    granted = want + min(extra, floor((granted - want) / 8))
  end
  passed[r], shadows[r] = granted, {}
  for _, charge in ipairs(charges) do
    local rule = rules[charge[2]]
    local bucket = buckets[charge[1]]
    local times = granted
    if charge[5] == 1 and granted > 0 then
      local room = charge[3] > 0 and floor((available(bucket, rule) - charge[4]) / charge[3]) or granted
      room = max(0, min(granted, room))
      shadows[r][#shadows[r] + 1] = room
      -- Slots are held by whoever runs.
      if rule[1] ~= 4 then times = room end
    elseif charge[5] == 1 then
      shadows[r][#shadows[r] + 1] = 0
    end
    if times * charge[3] > 0 then
      become(bucket, rule, debts[rule[1]](bucket, rule) + times * charge[3] * step(rule))
    end
  end
end

local function text(bucket)
  local state = ''
  if bucket.kind == 1 then
    state = format(bucket.rest > 0 and '%.0f/%.0f' or '%.0f', bucket.at, bucket.rest)
  elseif bucket.kind == 2 or bucket.kind == 3 then
    local last = #bucket.units
    while last > 0 and bucket.units[last] == 0 do last = last - 1 end
    local words = {format(bucket.kind == 2 and 'r %.0f' or 'w %.0f', bucket.index)}
    for i = 1, last do words[i + 1] = format('%.0f', bucket.units[i]) end
    if bucket.kind == 3 and last == 0 then words[2] = '0' end
    state = table.concat(words, ' ')
  elseif bucket.kind == 4 then
    state = format('c %.0f', bucket.taken)
  end
  if bucket.banned and bucket.forgotten > now then
    state = format('B%.0f,%.0f,%.0f;', bucket.banned, bucket.level, bucket.forgotten) .. state
  end
  return state
end

local function store_slots(key, bucket)
  for _, field in ipairs(bucket.gone) do redis.call('HDEL', KEYS[key], field) end
  if bucket.own > 0 then
    redis.call('HSET', KEYS[key], process, format('%.0f %.0f', bucket.own, now + bucket.lease * 1000))
    redis.call('PEXPIRE', KEYS[key], format('%.0f', bucket.lease))
  else
    redis.call('HDEL', KEYS[key], process)
  end
end

local function store(key, bucket)
  -- Healed, but not used: as much is used as can be.
  if not bucket.idle then become(bucket, bucket.rule, debts[bucket.rule[1]](bucket, bucket.rule)) end
  local idle = bucket.idle
  if bucket.banned and bucket.forgotten > idle then idle = bucket.forgotten end
  local lives = ceil((idle - now) / 1000) + 1
  -- Time that is given does not pass by itself.
  if given > 0 then lives = lives + 86400000 end
  local state = text(bucket)
  redis.call('SET', KEYS[key], state, 'PX', format('%.0f', max(1, lives)))
  return state
end

local states = {}
for key = 1, #KEYS do
  local bucket = buckets[key]
  if bucket.dirty and bucket.kind ~= 4 then
    states[key] = store(key, bucket)
  else
    if bucket.dirty then store_slots(key, bucket) end
    states[key] = text(bucket)
  end
end
return cmsgpack.pack({now, passed, shadows, states})
