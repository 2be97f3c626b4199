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
local system = read(redis.pcall('HMGET', key, '@a', '@e', '@s')) or {}
local ends = whole(system[1])
if not ends then return cmsgpack.pack({'ended', false}) end
if owned == 1 and (whole(system[2]) or 0) < epoch_of(KEYS[2]) then return cmsgpack.pack({'ended', false}) end

local before = whole(system[3]) or 0
local bytes = before
local function length(name)
  local value = redis.call('HGET', key, '.' .. name)
  return value and #name + #value or 0
end

local answer, result = 'done', false
local kind, field = operation[1], operation[2]
local value = kind and redis.call('HGET', key, '.' .. field)
if kind == 'expect' then
  if value ~= operation[3] then return cmsgpack.pack({'conflict', value}) end
elseif kind == 'add' then
  local sum = redis.pcall('HINCRBY', key, '.' .. field, operation[3])
  if type(sum) == 'table' then return cmsgpack.pack({'number', false}) end
  -- As the server wrote it: a number of Lua would lose its last digits.
  answer, result = 'sum', redis.call('HGET', key, '.' .. field)
  bytes = bytes + #result - (value and #value or -#field)
elseif kind == 'take' then
  if not value and #sets == 0 and #deletes == 0 then return cmsgpack.pack({'taken', false}) end
  bytes = bytes - length(field)
  answer, result = 'taken', value
end
for i = 1, #sets, 2 do bytes = bytes - length(sets[i]) + #sets[i] + #sets[i + 1] end
for _, name in ipairs(deletes) do bytes = bytes - length(name) end
if bytes > largest and bytes > before then
  if kind == 'add' then
    if value then redis.call('HSET', key, '.' .. field, value) else redis.call('HDEL', key, '.' .. field) end
  end
  return cmsgpack.pack({'large', false})
end

if kind == 'take' then redis.call('HDEL', key, '.' .. field) end
for i = 1, #sets, 2 do redis.call('HSET', key, '.' .. sets[i], sets[i + 1]) end
for _, name in ipairs(deletes) do redis.call('HDEL', key, '.' .. name) end
redis.call('HSET', key, '@s', plain(math.max(0, bytes)))
redis.call('PEXPIRE', key, plain(math.max(1, math.min(idle, ends - clock(given)))))
return cmsgpack.pack({answer, result})
