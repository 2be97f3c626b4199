-- Decides a batch of requests, in their order, each against all of its buckets at once.
--
-- KEYS: the buckets of the batch, each once. ARGV[1], packed one after another:
--   given     the time to go by, in microseconds; 0 for the server's
--   rules     {kind, most, unit, time}, …: what can be used at most and what a unit is of it, by the rule's own
--             measure; then 1 (even) with parts of a microsecond, 2 (ring) with a sub-window, 3 (window) with its
--             length, 4 (slots) with a lease in milliseconds
--   requests  all in one list, for many small ones take long to unpack: want, extra, how many charges, and for
--             each of these key, rule, cost, keep, shadow
--   process   names the process that asks, for the slots that it holds
-- and these only where there are any:
--   claims    {key, rule, text, told}: what is known, since the server told it at that moment, of a bucket that
--             it may have forgotten
--   returns   {key, rule, units, back}: given back, unless that happened by itself at the moment 'back'; more
--             is used where negative
--   held      {key, rule, count}: the slots that the process holds
-- Answers with a packed list: the time; how many of each request pass, and after it how many of them each of its
-- shadows would have let pass; then what each bucket is now: a number where it is no more than its moment.
--
-- A bucket is stored as one of: 'moment', 'moment/parts', 'r index units …', 'w index units'. Before it may come
-- 'Rmoment,until;', a reset of which claims are to know until then, and 'Buntil,level,forgotten;', a ban. Slots
-- are a hash.
--
-- Numbers are exact up to 2^53. None of 16 digits may become a string but by '%.0f', or as an argument of a
-- command. To make a function or to call one takes as long as half of what it does here: so they are few, and
-- 'x - x % 1' rounds down.
local given, rules, requests, process, claims, returns, held = cmsgpack.unpack(ARGV[1])
local find, match, tonumber, min = string.find, string.match, tonumber, math.min
local MOST = 9007199254740992
-- With a day for clocks that differ.
local LONGEST_BAN = 367 * 24 * 3600 * 1000000

local now = given
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

-- What is stored, in as many pieces as Lua's stack needs. What is no text is nothing used.
local AT_ONCE = 1000
local texts = redis.call('MGET', unpack(KEYS, 1, min(AT_ONCE, #KEYS)))
for first = AT_ONCE + 1, #KEYS, AT_ONCE do
  local more = redis.call('MGET', unpack(KEYS, first, min(first + AT_ONCE - 1, #KEYS)))
  for i = 1, #more do texts[first + i - 1] = more[i] end
end

-- Of digits.
local function number(text)
  local value = #text <= 16 and tonumber(text)
  return value and value <= MOST and value or nil
end

-- How rings, windows and slots work, in a call that has some.
local counted

-- What is more than a moment.
local function parse_more(bucket, text)
  local reset, known, state = match(text, '^R(%d+),(%d+);(.*)$')
  if reset then
    reset, known, text = number(reset), number(known), state
    local is_known = reset and known and known > now and known <= now + 2 * LONGEST_BAN
    if is_known then bucket.reset, bucket.known = reset, known end
  end
  local banned, level, forgotten, rest = match(text, '^B(%d+),(%d+),(%d+);(.*)$')
  if banned then
    banned, level, forgotten, text = number(banned), number(level), number(forgotten), rest
    -- One that lasts longer than any can is from another clock.
    local is_one = banned and level and forgotten and banned <= forgotten and forgotten > now
    if is_one and banned <= now + LONGEST_BAN and forgotten <= now + 2 * LONGEST_BAN then
      bucket.banned, bucket.level, bucket.forgotten = banned, level, forgotten
    end
  end
  local at, parts = match(text, '^(%d+)/?(%d*)$')
  if at then
    bucket.at = number(at) or 0
    bucket.rest = number(parts) or 0
  elseif counted then
    counted.parse(bucket, text)
  else
    -- Of another kind than any rule here: nothing used, but what it is, it stays.
    bucket.kind, bucket.text = 0, text
  end
end

-- One bucket as it is stored: its kind of state, and its ban. What cannot be read is nothing used.
local function parse(text, key)
  local bucket = {key = key, kind = 1, at = 0, rest = 0, rule = false, owed = 0, dirty = false}
  if text then
    if find(text, '^%d+$') then bucket.at = number(text) or 0 else parse_more(bucket, text) end
  end
  return bucket
end

-- Sets a bucket so that so much is used.
local function become(bucket, rule, owed)
  bucket.dirty, bucket.rule, bucket.owed = true, rule, owed
  if rule[1] ~= 1 then
    counted.become(bucket, rule, owed)
    return
  end
  local parts = rule[4]
  local rest = owed % parts
  bucket.kind, bucket.rest = 1, rest
  bucket.at = owed > 0 and now + (owed - rest) / parts or 0
end

-- What is used of a bucket's limit; heals what is from another clock. Worked out once for as long as it is so.
local function debt(bucket, rule)
  if bucket.rule == rule then return bucket.owed end
  local owed = 0
  if rule[1] ~= 1 then
    owed = counted.debt(bucket, rule)
  elseif bucket.kind == 1 and bucket.at >= now then
    local most, parts = rule[2], rule[4]
    local ahead = bucket.at - now
    if ahead > most / parts then
      owed = most
      become(bucket, rule, owed)
    else
      owed = min(most, ahead * parts + min(bucket.rest, parts - 1))
    end
  end
  bucket.rule, bucket.owed = rule, owed
  return owed
end

-- How often a charge passes.
local function room(bucket, rule, owed, cost, keep)
  if bucket.banned and bucket.banned > now then return 0 end
  local unit = rule[3]
  local times = (rule[2] - owed - keep * unit) / (cost * unit)
  if times <= 0 then return 0 end
  return times - times % 1
end

for i = 1, #rules do counted = counted or rules[i][1] ~= 1 and {} end
if counted then
  local floor, max, format = math.floor, math.max, string.format
  local COUNTED = 17

  function counted.parse(bucket, text)
    local kind, index, units = match(text, '^([rw]) (%d+)(.*)$')
    index = index and number(index)
    if not index then return end
    bucket.kind, bucket.index, bucket.units = kind == 'r' and 2 or 3, index, {}
    local i = 0
    for unit in string.gmatch(units, ' (%d+)') do
      i = i + 1
      if i <= COUNTED then bucket.units[i] = min(number(unit) or 0, 4294967295) end
    end
  end

  -- Counters of a ring or a window as they are at the present, their sum, the number of the newest, and whether
  -- they were from another clock. One that steps back a little forgets nothing; what lies further ahead heals.
  local function present(bucket, rule)
    local kind, count = rule[1], rule[1] == 2 and COUNTED or 1
    local index, units, passed, heals = floor(now / rule[4]), {}, count, false
    if bucket.kind == kind then
      local ahead = bucket.index - index
      heals = ahead > max(1, count - 1)
      if ahead > 0 and not heals then index = bucket.index end
      passed = max(0, index - bucket.index)
    end
    for i = 1, count do units[i] = 0 end
    for i = 1, count - passed do units[i + passed] = bucket.units[i] or 0 end
    local sum = 0
    for i = 1, count do sum = sum + units[i] end
    return sum, units, index, heals
  end

  function counted.load_slots(bucket, rule)
    bucket.kind, bucket.taken, bucket.own, bucket.lasts, bucket.lease, bucket.gone = 4, 0, 0, 0, rule[4], {}
    local fields = redis.pcall('HGETALL', KEYS[bucket.key])
    if fields.err then
      redis.call('UNLINK', KEYS[bucket.key])
      fields = {}
    end
    for i = 1, #fields, 2 do
      local count, lasts = match(fields[i + 1], '^(%d+) (%d+)$')
      count, lasts = count and number(count), lasts and number(lasts)
      -- One that is held for longer than a lease is by another clock.
      if not count or not lasts or lasts <= now or lasts > now + 2000 * rule[4] then
        bucket.gone[#bucket.gone + 1] = fields[i]
      else
        bucket.taken = bucket.taken + count
        if fields[i] == process then bucket.own, bucket.lasts = count, lasts end
      end
    end
  end

  function counted.debt(bucket, rule)
    if rule[1] == 4 then
      if bucket.kind ~= 4 then counted.load_slots(bucket, rule) end
      return bucket.taken
    end
    local sum, _, _, heals = present(bucket, rule)
    if heals then become(bucket, rule, sum) end
    return sum
  end

  function counted.become(bucket, rule, owed)
    if rule[1] == 4 then
      bucket.own = max(0, bucket.own + owed - bucket.taken)
      bucket.taken = owed
      return
    end
    local sum, units, index = present(bucket, rule)
    units[1] = units[1] + max(0, owed - sum)
    bucket.kind, bucket.index, bucket.units, bucket.owed = rule[1], index, units, max(owed, sum)
    bucket.idle = (index + #units) * rule[4]
  end

  -- From the sub-window on in which they were used.
  function counted.give(bucket, rule, units, back)
    become(bucket, rule, debt(bucket, rule))
    local count = #bucket.units
    local age = max(0, bucket.index - max(0, floor(back / rule[4]) - count))
    for i = age + 1, count do
      local given_back = min(bucket.units[i], units)
      bucket.units[i] = bucket.units[i] - given_back
      bucket.owed = bucket.owed - given_back
      units = units - given_back
    end
  end

  function counted.text(bucket)
    if bucket.kind == 4 then return format('c %.0f', bucket.taken) end
    local last = #bucket.units
    while last > 0 and bucket.units[last] == 0 do last = last - 1 end
    local words = {format(bucket.kind == 2 and 'r %.0f' or 'w %.0f', bucket.index)}
    for i = 1, last do words[i + 1] = format('%.0f', bucket.units[i]) end
    if bucket.kind == 3 and last == 0 then words[2] = '0' end
    return table.concat(words, ' ')
  end

  function counted.store_slots(bucket)
    local key = KEYS[bucket.key]
    for _, field in ipairs(bucket.gone) do redis.call('HDEL', key, field) end
    if bucket.own > 0 then
      redis.call('HSET', key, process, format('%.0f %.0f', bucket.own, now + bucket.lease * 1000))
      redis.call('PEXPIRE', key, bucket.lease)
    else
      redis.call('HDEL', key, process)
    end
  end
end

local buckets = {}

local function load(key, rule)
  local bucket = buckets[key] or parse(texts[key], key)
  if rule[1] == 4 and bucket.kind ~= 4 then counted.load_slots(bucket, rule) end
  buckets[key] = bucket
  return bucket
end

for _, claim in ipairs(claims or {}) do
  local rule = rules[claim[2]]
  local bucket = load(claim[1], rule)
  -- What was learnt before a reset is not so any more. The server that knows of that has forgotten nothing.
  if rule[1] ~= 4 and not (bucket.reset and claim[4] <= bucket.reset) then
    local known = parse(claim[3])
    local owed, claimed = debt(bucket, rule), debt(known, rule)
    local is_longer = known.banned and known.banned > (bucket.banned or 0)
    if is_longer then bucket.banned, bucket.level, bucket.forgotten = known.banned, known.level, known.forgotten end
    if is_longer or claimed > owed then become(bucket, rule, math.max(owed, claimed)) end
  end
end

for _, given_back in ipairs(returns or {}) do
  local rule, units, back = rules[given_back[2]], given_back[3], given_back[4]
  local bucket = load(given_back[1], rule)
  if units <= 0 then
    become(bucket, rule, min(rule[2], debt(bucket, rule) - units * rule[3]))
  elseif now < back and rule[1] ~= 1 then
    counted.give(bucket, rule, units, back)
  elseif now < back then
    local refund = min(units * rule[3], (back - now) * rule[4])
    become(bucket, rule, math.max(0, debt(bucket, rule) - refund))
  end
end

for _, holding in ipairs(held or {}) do
  local rule, count = rules[holding[2]], holding[3]
  local bucket = load(holding[1], rule)
  -- Each third of a lease they are held anew.
  if bucket.own ~= count or count > 0 and bucket.lasts < now + 700 * rule[4] then
    bucket.taken = bucket.taken - bucket.own + count
    bucket.own = count
    bucket.dirty, bucket.rule = true, false
  end
end

local answer, said = {now}, 1
local start, count = 1, #requests
while start < count do
  local want, extra, first = requests[start], requests[start + 1], start + 3
  local last = first + 5 * requests[start + 2] - 1
  start = last + 1
  local granted = want > 0 and MOST or 0
  for i = first, last, 5 do
    local key, rule, cost = requests[i], rules[requests[i + 1]], requests[i + 2]
    local bucket = buckets[key] or load(key, rule)
    -- Who only looks changes nothing; for others it heals, whatever is decided.
    local owed = want > 0 and debt(bucket, rule)
    if granted > 0 and cost > 0 and requests[i + 4] == 0 then
      local times = room(bucket, rule, owed, cost, requests[i + 3])
      if times < granted then granted = times end
    end
  end
  if granted > want then
    -- More than was asked for only while there is plenty.
    local spare = (granted - want) / 8
    granted = want + min(extra, spare - spare % 1)
  end
  said = said + 1
  answer[said] = granted
  for i = first, last, 5 do
    local rule, cost, times = rules[requests[i + 1]], requests[i + 2], granted
    local bucket = buckets[requests[i]]
    local owed = granted > 0 and debt(bucket, rule)
    if requests[i + 4] == 1 then
      local would = granted
      if granted > 0 and cost > 0 then would = min(granted, room(bucket, rule, owed, cost, requests[i + 3])) end
      said = said + 1
      answer[said] = would
      -- Slots are held by whoever runs.
      if rule[1] ~= 4 then times = would end
    end
    if times > 0 and cost > 0 then become(bucket, rule, owed + times * cost * rule[3]) end
  end
end

-- What a bucket is, for the server and for processes alike.
local function text(bucket)
  local format = string.format
  local state = ''
  if bucket.kind == 0 then
    state = bucket.text
  elseif bucket.kind ~= 1 then
    state = counted.text(bucket)
  elseif bucket.rest > 0 then
    state = format('%.0f/%.0f', bucket.at, bucket.rest)
  elseif bucket.at > 0 then
    state = format('%.0f', bucket.at)
  end
  if bucket.banned then
    state = format('B%.0f,%.0f,%.0f;', bucket.banned, bucket.level, bucket.forgotten) .. state
  end
  return state
end

local function store(bucket, state)
  local idle = bucket.kind == 1 and bucket.at + 1 or bucket.idle
  if bucket.banned and bucket.forgotten > idle then idle = bucket.forgotten end
  if bucket.reset then
    if bucket.known > idle then idle = bucket.known end
    state = string.format('R%.0f,%.0f;', bucket.reset, bucket.known) .. text(bucket)
  end
  local lives = (idle - now) / 1000
  lives = lives > 0 and lives - lives % 1 + 2 or 1
  -- Time that is given does not pass by itself.
  if given > 0 then lives = lives + 86400000 end
  redis.call('SET', KEYS[bucket.key], state, 'PX', lives)
end

for key = 1, #KEYS do
  local bucket = buckets[key]
  local state = bucket.at
  if bucket.kind ~= 1 or bucket.rest > 0 or bucket.banned then state = text(bucket) end
  if bucket.kind == 4 and bucket.dirty then
    counted.store_slots(bucket)
  elseif bucket.dirty then
    store(bucket, state)
  end
  answer[said + key] = state
end
return cmsgpack.pack(answer)
