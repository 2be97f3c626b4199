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
local epoch = 0
if owned == 1 then epoch = epoch_of(KEYS[2]) end
local now = clock(given)
local session = find(KEYS[1], epoch, now)
if not session then return cmsgpack.pack({'ended', false}) end
local fields, bytes = session.fields, session.size

local function set(name, value)
  local before = fields['.' .. name]
  if before then bytes = bytes - #name - #before end
  if value then bytes = bytes + #name + #value end
  fields['.' .. name] = value
end

-- Billions and the rest, both of one sign, of a whole number: a number of Lua would lose its last digits.
local function halves(text)
  local sign, digits = string.match(text, '^(%-?)(%d+)$')
  if not digits or #digits > 19 then return end
  local factor = sign == '-' and -1 or 1
  return factor * (tonumber(string.sub(digits, 1, -10)) or 0), factor * tonumber(string.sub(digits, -9))
end

-- The number of these halves as a text; nothing if it has more than 64 bits.
local function whole_of(high, low)
  local is_less = high < 0 or low < 0
  high, low = math.abs(high), math.abs(low)
  if high > 9223372036 or (high == 9223372036 and low > (is_less and 854775808 or 854775807)) then return end
  local digits = high == 0 and plain(low) or string.format('%.0f%09.0f', high, low)
  return is_less and '-' .. digits or digits
end

local function sum(one, other)
  local high, low = halves(one)
  if not high or not whole_of(high, low) then return end
  local more_high, more_low = halves(other)
  high, low = high + more_high, low + more_low
  if math.abs(low) >= 1e9 then
    local carry = low < 0 and -1 or 1
    high, low = high + carry, low - carry * 1e9
  end
  if high > 0 and low < 0 then high, low = high - 1, low + 1e9 end
  if high < 0 and low > 0 then high, low = high + 1, low - 1e9 end
  return whole_of(high, low)
end

local answer, result = 'done', false
local kind, field = operation[1], operation[2]
local value = kind and fields['.' .. field] or false
if kind == 'expect' then
  if value ~= operation[3] then return cmsgpack.pack({'conflict', value}) end
elseif kind == 'add' then
  answer, result = 'sum', sum(value or '0', operation[3])
  if not result then return cmsgpack.pack({'number', false}) end
  set(field, result)
elseif kind == 'take' then
  if not value and #sets == 0 and #deletes == 0 then return cmsgpack.pack({'taken', false}) end
  answer, result = 'taken', value
  set(field, nil)
end
for i = 1, #sets, 2 do set(sets[i], sets[i + 1]) end
for _, name in ipairs(deletes) do set(name, nil) end
if bytes > largest and bytes > session.size then return cmsgpack.pack({'large', false}) end
keep(KEYS[1], session, idle, now)
return cmsgpack.pack({answer, result})
