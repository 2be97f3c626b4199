-- Puts one session in the place of another, or of none; or none in the place of one. Nothing happens if the old
-- one has ended.
--
-- KEYS: the old session, its owner's epoch and index; the new session, its owner's epoch and index. Where there
-- is no such key, any other stands in. ARGV[1], packed:
--   given, idle, absolute, largest    milliseconds (the first: 0 for the server's time); bytes
--   old       {there, owned, digest}: 1 or 0 each, and the digest in hexadecimal
--   tombstone {lasts, moved, waits}: milliseconds; the digest to which the old ticket leads, or ''; 1 if
--             it leads there until somebody comes with the new one
--   new       {there, owned, rotated, digest, user, level, label}
--   most, gives_way                   sessions of one user; 1 if the oldest ends for a new one
--   sets, deletes                     {name, value, …}, {name, …}
-- Answers, packed: what became of it, and all fields of the new session; as @v, the digests of those that gave
-- way to it.
local given, idle, absolute, largest, old, tombstone, new, most, gives_way, sets, deletes =
  unpack(cmsgpack.unpack(ARGV[1]))
local old_there, old_owned, old_digest = unpack(old)
local lasts, moved, waits = unpack(tombstone)
local new_there, new_owned, rotated, new_digest, user, level, label = unpack(new)
local now = clock(given)

local before = {}
if old_there == 1 then
  local listed = read(redis.pcall('HGETALL', KEYS[1])) or {}
  for i = 1, #listed, 2 do before[listed[i]] = listed[i + 1] end
  local epoch = old_owned == 1 and epoch_of(KEYS[2]) or 0
  if not whole(before['@a']) or (whole(before['@e']) or 0) < epoch then
    return cmsgpack.pack({'ended', {}})
  end
end

-- What one user left in a session is not for the next.
local is_other = rotated == 0 and before['@u'] and before['@u'] ~= user
local ours = {['@c'] = 1, ['@a'] = 1, ['@i'] = 1, ['@u'] = 1, ['@l'] = 1, ['@e'] = 1, ['@s'] = 1, ['@d'] = 1, ['@p'] = 1}
local fields, kept, size_before, size = {}, {}, 0, 0
for name, value in pairs(before) do
  if string.sub(name, 1, 1) == '.' then
    size_before = size_before + #name - 1 + #value
    if not is_other then fields[name] = value end
  elseif rotated == 1 and not ours[name] then
    -- A later version knows what it is for.
    kept[name] = value
  end
end
for i = 1, #sets, 2 do fields['.' .. sets[i]] = sets[i + 1] end
for _, name in ipairs(deletes) do fields['.' .. name] = nil end
for name, value in pairs(fields) do size = size + #name - 1 + #value end
if new_there == 1 and size > largest and size > size_before then return cmsgpack.pack({'large', {}}) end

local prefix, victims = string.sub(KEYS[4], 1, -33), {}
if new_there == 1 and new_owned == 1 then
  local listed, others = read(redis.pcall('HGETALL', KEYS[6])), {}
  if not listed then redis.call('UNLINK', KEYS[6]) end
  listed = listed or {}
  for i = 1, #listed, 2 do
    local digest = digest_of(listed[i + 1])
    if digest ~= old_digest or not digest then
      if digest and read(redis.pcall('HEXISTS', prefix .. digest, '@a')) == 1 then
        others[#others + 1] = {digest, whole(string.match(listed[i + 1], '^%d+')) or 0, listed[i]}
      else
        redis.call('HDEL', KEYS[6], listed[i])
      end
    end
  end
  local too_many = #others + 1 - most
  -- A rotation begins no further session.
  if too_many > 0 and rotated == 0 then
    if gives_way == 0 then return cmsgpack.pack({'many', {}}) end
    table.sort(others, function(a, b) return a[2] < b[2] end)
    for i = 1, too_many do victims[i] = others[i] end
  end
end

-- Its name in the index, which no rotation changes, and what it is called there.
local id, called, old_id = new_digest, label, old_owned == 1 and before['@d']
if old_id then
  local entry = rotated == 1 and read(redis.pcall('HGET', KEYS[3], old_id))
  if digest_of(entry) then called = string.match(entry, '^%d+ %x+ (.*)$') end
  if not is_other then id = old_id end
end

local function bury_old()
  if old_there == 0 then return end
  if waits == 1 then lasts = math.max(lasts, math.min(idle, whole(before['@a']) - now)) end
  redis.call('UNLINK', KEYS[1])
  redis.call('HSET', KEYS[1], '@t', moved)
  if waits == 1 then redis.call('HSET', KEYS[1], '@w', '1') end
  ends_in(KEYS[1], lasts)
  -- Under the same name, the new one is there already.
  local is_taken = new_owned == 1 and id == old_id and KEYS[3] == KEYS[6]
  if old_id and not is_taken then read(redis.pcall('HDEL', KEYS[3], old_id)) end
end
if new_there == 0 then
  bury_old()
  return cmsgpack.pack({'done', {}})
end

local created, ends = plain(now), plain(now + absolute)
if rotated == 1 then
  created, ends = before['@c'] or created, before['@a']
  user, level = before['@u'] or '', before['@l'] or '0'
end
local flat = {'@c', created, '@a', ends, '@i', plain(now), '@l', level, '@s', plain(size)}
local function add(name, value)
  flat[#flat + 1] = name
  flat[#flat + 1] = value
end
if new_owned == 1 then
  add('@u', user)
  add('@e', plain(epoch_of(KEYS[5])))
  add('@d', id)
end
if waits == 1 then add('@p', old_digest) end
for name, value in pairs(kept) do add(name, value) end
for name, value in pairs(fields) do add(name, value) end
-- First the new one: what the server refuses, it refuses before anything has ended.
for i = 1, #flat, 2 do redis.call('HSET', KEYS[4], flat[i], flat[i + 1]) end
ends_in(KEYS[4], math.max(1, math.min(idle, tonumber(ends) - now)))
if new_owned == 1 then
  -- The epoch outlives every session that bears it.
  extend(KEYS[5], absolute + 60000)
  redis.call('HSET', KEYS[6], id, created .. ' ' .. new_digest .. ' ' .. called)
  extend(KEYS[6], absolute)
end
bury_old()
for _, victim in ipairs(victims) do
  redis.call('UNLINK', prefix .. victim[1])
  redis.call('HDEL', KEYS[6], victim[3])
  add('@v', victim[1])
end
return cmsgpack.pack({'done', flat})
