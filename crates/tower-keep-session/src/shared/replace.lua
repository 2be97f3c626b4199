-- Puts one session in the place of another, or of none; or none in the place of one. Nothing happens if the old
-- one has ended.
--
-- KEYS: the old session, its owner's epoch and index; the new session, its owner's epoch and index; the one whose
-- ticket led to the old. Where there is no such key, any other stands in. ARGV[1], packed:
--   given, idle, absolute, largest    milliseconds (the first: 0 for the server's time); bytes
--   old       {there, owned, digest}: 1 or 0 each, and the digest in hexadecimal
--   tombstone {lasts, moved, is_untold, came}: milliseconds; the digest to which the old ticket leads, or '';
--             1 if it leads there until somebody comes with the new one; the digest whose ticket led to it, or ''
--   new       {there, owned, rotated, digest, user, level, label}
--   most, gives_way                   sessions of one user; 1 if the oldest ends for a new one
--   sets, deletes                     {name, value, …}, {name, …}
-- Answers, packed: what became of it, the new session's text, and the digests of those that gave way to it.
local given, idle, absolute, largest, old, tombstone, new, most, gives_way, sets, deletes =
  unpack(cmsgpack.unpack(ARGV[1]))
local old_there, old_owned, old_digest = unpack(old)
local lasts, moved, is_untold, came = unpack(tombstone)
local new_there, new_owned, rotated, new_digest, user, level, label = unpack(new)
local now = clock(given)
local function answer(what) return cmsgpack.pack({what, false, {}}) end

local before, nothing = nil, {fields = {}, size = 0}
if old_there == 1 then
  local epoch = 0
  if old_owned == 1 then epoch = epoch_of(KEYS[2]) end
  before = find(KEYS[1], epoch, now)
  if not before then return answer('ended') end
end
before = before or nothing
local was = before.fields

-- What one user left in a session is not for the next.
local is_other = rotated == 0 and was['@u'] and was['@u'] ~= user
local fields, size = {}, 0
for name, value in pairs(was) do
  local is_of_application = string.byte(name) == DOT
  -- A later version knows what it has added of ours.
  if is_of_application and not is_other or not is_of_application and rotated == 1 then fields[name] = value end
end
for i = 1, #sets, 2 do fields['.' .. sets[i]] = sets[i + 1] end
for _, name in ipairs(deletes) do fields['.' .. name] = nil end
for name, value in pairs(fields) do
  if string.byte(name) == DOT then size = size + #name - 1 + #value end
end
if new_there == 1 and size > largest and size > before.size then return answer('large') end

local begins = new_owned == 1 and epoch_of(KEYS[5])
local prefix, victims = string.sub(KEYS[4], 1, -33), {}
if new_there == 1 and new_owned == 1 then
  local listed, others = read(redis.pcall('HGETALL', KEYS[6])), {}
  if not listed then redis.call('UNLINK', KEYS[6]) end
  listed = listed or {}
  for i = 1, #listed, 2 do
    local digest = digest_of(listed[i + 1])
    if digest ~= old_digest or not digest then
      if digest and is_there(prefix .. digest, begins, now) then
        others[#others + 1] = {digest, whole(string.match(listed[i + 1], '^%d+')) or 0, listed[i]}
      else
        redis.call('HDEL', KEYS[6], listed[i])
      end
    end
  end
  local too_many = #others + 1 - most
  -- A rotation begins no further session.
  if too_many > 0 and rotated == 0 then
    if gives_way == 0 then return answer('many') end
    table.sort(others, function(a, b) return a[2] < b[2] end)
    for i = 1, too_many do victims[i] = others[i] end
  end
end

-- Its name in the index, which no rotation changes, and what it is called there.
local id, called, old_id = new_digest, label, old_owned == 1 and was['@d']
if old_id then
  local entry = rotated == 1 and read(redis.pcall('HGET', KEYS[3], old_id))
  if digest_of(entry) then called = string.match(entry, '^%d+ %x+ (.*)$') end
  if not is_other then id = old_id end
end

-- Whoever still comes with an older ticket is led by it to the new session at once: no way grows with each rotation.
if is_untold == 0 or came == '' or not waits(KEYS[7]) then came = nil end

local function bury_old()
  if old_there == 0 then return end
  if is_untold == 1 then lasts = math.max(lasts, math.min(idle, before.ends - now)) end
  local text = 't' .. moved .. (is_untold == 1 and 'w' or '')
  put(KEYS[1], text, lasts)
  if came then put(KEYS[7], text, lasts) end
  -- Under the same name, the new one is there already.
  local is_taken = new_owned == 1 and id == old_id and KEYS[3] == KEYS[6]
  if old_id and not is_taken then read(redis.pcall('HDEL', KEYS[3], old_id)) end
end
if new_there == 0 then
  bury_old()
  return answer('done')
end

-- A later one than any session of before bears, should the epoch have been lost.
local epoch = new_owned == 1 and (begins or now) or 0
local session = {ends = now + absolute, epoch = epoch, fields = fields}
if rotated == 1 then
  session.ends = before.ends
else
  fields['@c'], fields['@l'], fields['@u'] = plain(now), level, new_owned == 1 and user or nil
end
fields['@i'] = plain(now)
fields['@d'] = new_owned == 1 and id or nil
fields['@p'] = is_untold == 1 and old_digest .. (came or '') or nil
-- First the new one: what the server refuses, it refuses before anything has ended.
local text = keep(KEYS[4], session, idle, now)
if new_owned == 1 then
  -- The epoch outlives every session that bears it.
  put(KEYS[5], plain(epoch), math.max(absolute + 60000, redis.call('PTTL', KEYS[5])))
  redis.call('HSET', KEYS[6], id, plain(whole(fields['@c']) or now) .. ' ' .. new_digest .. ' ' .. called)
  extend(KEYS[6], absolute)
end
bury_old()
local gave_way = {}
for i, victim in ipairs(victims) do
  redis.call('UNLINK', prefix .. victim[1])
  redis.call('HDEL', KEYS[6], victim[3])
  gave_way[i] = victim[1]
end
return cmsgpack.pack({'done', text, gave_way})
