-- Puts one session in the place of another, or of none; or none in the place of one.
--
-- KEYS: the old session, its owner's epoch and index; the new session, its owner's epoch and index. Where there
-- is no such key, any other stands in. ARGV[1], packed:
--   given, idle, absolute, largest    milliseconds (the first: 0 for the server's time); bytes
--   old       {there, owned, needed, digest}: 1 or 0 each, and the digest in hexadecimal
--   tombstone {lasts, moved}: milliseconds; the digest to which the old ticket leads, or ''
--   new       {there, owned, rotated, digest, user, level, label}
--   most, gives_way                   sessions of one user; 1 if the oldest ends for a new one
--   sets, deletes                     {name, value, …}, {name, …}
-- Answers, packed: what became of it, and all fields of the new session.
local given, idle, absolute, largest, old, tombstone, new, most, gives_way, sets, deletes =
  unpack(cmsgpack.unpack(ARGV[1]))
local old_there, old_owned, needed, old_digest = unpack(old)
local lasts, moved = unpack(tombstone)
local new_there, new_owned, rotated, new_digest, user, level, label = unpack(new)
local now = given
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local function plain(value) return string.format('%.0f', value) end
local function number(text) return type(text) == 'string' and tonumber(text) or 0 end

local before = {}
if old_there == 1 then
  local fields = redis.pcall('HGETALL', KEYS[1])
  if fields.err then fields = {} end
  for i = 1, #fields, 2 do before[fields[i]] = fields[i + 1] end
  local epoch = old_owned == 1 and number(redis.pcall('GET', KEYS[2])) or 0
  if not before['@a'] or number(before['@e']) < epoch then before = {} end
  if not before['@a'] and needed == 1 then return cmsgpack.pack({'ended', {}}) end
end

local fields, bytes = {}, 0
for name, value in pairs(before) do
  if string.sub(name, 1, 1) == '.' then fields[name] = value end
end
for i = 1, #sets, 2 do fields['.' .. sets[i]] = sets[i + 1] end
for _, name in ipairs(deletes) do fields['.' .. name] = nil end
for name, value in pairs(fields) do bytes = bytes + #name - 1 + #value end
if bytes > largest then return cmsgpack.pack({'large', {}}) end

local prefix = string.sub(KEYS[4], 1, -33)
if new_there == 1 and new_owned == 1 then
  if redis.call('TYPE', KEYS[6]).ok ~= 'hash' then redis.call('UNLINK', KEYS[6]) end
  local listed, others = redis.call('HGETALL', KEYS[6]), {}
  for i = 1, #listed, 2 do
    local digest = listed[i]
    if digest ~= old_digest then
      if redis.call('HEXISTS', prefix .. digest, '@a') == 1 then
        others[#others + 1] = {digest, number(string.match(listed[i + 1], '^%d+'))}
      else
        redis.call('HDEL', KEYS[6], digest)
      end
    end
  end
  local too_many = #others + 1 - most
  if too_many > 0 then
    if gives_way == 0 then return cmsgpack.pack({'many', {}}) end
    table.sort(others, function(a, b) return a[2] < b[2] end)
    for i = 1, too_many do
      redis.call('UNLINK', prefix .. others[i][1])
      redis.call('HDEL', KEYS[6], others[i][1])
    end
  end
end

if old_there == 1 then
  if before['@a'] then
    redis.call('UNLINK', KEYS[1])
    redis.call('HSET', KEYS[1], '@t', moved)
    redis.call('PEXPIRE', KEYS[1], plain(lasts))
  end
  if old_owned == 1 then redis.pcall('HDEL', KEYS[3], old_digest) end
end
if new_there == 0 then return cmsgpack.pack({'done', {}}) end

local created, ends = plain(now), plain(now + absolute)
if rotated == 1 then
  created, ends, user, level = before['@c'], before['@a'], before['@u'] or '', before['@l'] or '0'
end
local flat = {'@c', created, '@a', ends, '@l', level, '@s', plain(bytes)}
if user ~= '' then
  flat[#flat + 1] = '@u'
  flat[#flat + 1] = user
end
if new_owned == 1 then
  flat[#flat + 1] = '@e'
  flat[#flat + 1] = plain(number(redis.pcall('GET', KEYS[5])))
end
for name, value in pairs(fields) do
  flat[#flat + 1] = name
  flat[#flat + 1] = value
end
redis.call('UNLINK', KEYS[4])
for i = 1, #flat, 2 do redis.call('HSET', KEYS[4], flat[i], flat[i + 1]) end
redis.call('PEXPIRE', KEYS[4], plain(math.max(1, math.min(idle, tonumber(ends) - now))))
if new_owned == 1 then
  redis.call('HSET', KEYS[6], new_digest, created .. ' ' .. label)
  redis.call('PEXPIRE', KEYS[6], plain(absolute))
end
return cmsgpack.pack({'done', flat})
