-- Changes a session that is still there: all of it or nothing. Also its end, which is put off.
--
-- KEYS: the session; its owner's epoch (or the session again). ARGV[1], packed:
--   given     the time to go by, in milliseconds; 0 for the server's
--   idle      milliseconds until it ends if nobody comes
--   largest   bytes of all names and values
--   owned     1 if there is an owner
--   sets      {name, value, …}
--   deletes   {name, …}
--   operation {}, {'expect', name, value or false}, {'add', name, by}, {'take', name}
-- Answers, packed: what became of it, and a value.
local given, idle, largest, owned, sets, deletes, operation = unpack(cmsgpack.unpack(ARGV[1]))
local key = KEYS[1]
local now = given
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local system = redis.pcall('HMGET', key, '@a', '@e', '@s')
if system.err or not system[1] then return cmsgpack.pack({'ended', false}) end
if owned == 1 then
  local epoch = redis.pcall('GET', KEYS[2])
  epoch = type(epoch) == 'string' and tonumber(epoch) or 0
  if (tonumber(system[2]) or 0) < epoch then return cmsgpack.pack({'ended', false}) end
end
local bytes = tonumber(system[3]) or 0

local function length(name)
  local value = redis.call('HGET', key, '.' .. name)
  return value and #name + #value or 0
end

local answer, result = 'done', false
local kind, field = operation[1], operation[2]
if kind == 'expect' then
  local value = redis.call('HGET', key, '.' .. field)
  if value ~= operation[3] then return cmsgpack.pack({'conflict', value}) end
elseif kind == 'add' then
  bytes = bytes - length(field)
  local sum = redis.pcall('HINCRBY', key, '.' .. field, operation[3])
  if type(sum) == 'table' then return cmsgpack.pack({'number', false}) end
  -- As the server wrote it: a number of Lua would lose its last digits.
  answer, result = 'sum', redis.call('HGET', key, '.' .. field)
  bytes = bytes + length(field)
elseif kind == 'take' then
  local value = redis.call('HGET', key, '.' .. field)
  bytes = bytes - length(field)
  answer, result = 'taken', value
end
for i = 1, #sets, 2 do bytes = bytes - length(sets[i]) + #sets[i] + #sets[i + 1] end
for _, name in ipairs(deletes) do bytes = bytes - length(name) end
if bytes > largest and #sets > 0 then
  if kind == 'add' then redis.call('HINCRBY', key, '.' .. field, -operation[3]) end
  return cmsgpack.pack({'large', false})
end

if kind == 'take' then redis.call('HDEL', key, '.' .. field) end
for i = 1, #sets, 2 do redis.call('HSET', key, '.' .. sets[i], sets[i + 1]) end
for _, name in ipairs(deletes) do redis.call('HDEL', key, '.' .. name) end
redis.call('HSET', key, '@s', string.format('%.0f', bytes))
local lives = math.max(1, math.min(idle, tonumber(system[1]) - now))
redis.call('PEXPIRE', key, string.format('%.0f', lives))
return cmsgpack.pack({answer, result})
