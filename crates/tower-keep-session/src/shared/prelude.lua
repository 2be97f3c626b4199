-- What all scripts begin with.

-- The number that a text is; nothing for what is none: a record may hold anything.
local function whole(text)
  if type(text) == 'string' and #text <= 15 and string.find(text, '^%d+$') then return tonumber(text) end
end

local function plain(number) return string.format('%.0f', number) end

-- What was read; nothing of a key of another type. Any other failure is not "nothing there".
local function read(reply)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if not string.find(reply.err, 'WRONGTYPE', 1, true) then error(reply.err) end
end

-- The user's epoch: sessions of an earlier one are over. Nothing if it was lost: then all are.
local function epoch_of(key) return whole(read(redis.pcall('GET', key))) end

-- Milliseconds since 1970: as given, or the server's own.
local function clock(given)
  if given ~= 0 then return given end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Where the index of a user says that a session is: 'created digest label'.
local function digest_of(entry) return type(entry) == 'string' and string.match(entry, '^%d+ (%x+) ') end

-- What every session begins with: when it ends at the latest, its epoch, until when it stays if nobody comes; and
-- where that is over.
local function head(text)
  local ends, epoch, stays, at = string.match(text or '', '^s(%d+) (%d+) (%d+) ()')
  return whole(ends), whole(epoch), whole(stays), at
end

-- Whether a session goes on that was begun in this epoch and stays until then. The server's word alone is not enough:
-- somebody may have made its key last. Without an epoch, none does.
local function goes_on(of, stays, epoch, now) return of and stays and epoch and of >= epoch and stays > now end

-- Whether there is such a session, and no sign that one ended. Its fields are not read.
local function is_there(key, epoch, now)
  local ends, of, stays = head(read(redis.pcall('GETRANGE', key, 0, 48)))
  return ends and goes_on(of, stays, epoch, now)
end

-- What names of the application's fields begin with.
local DOT = string.byte('.')

-- The session in a text: when it ends at the latest, its epoch, until when it stays if nobody comes, its fields by
-- name, and how large those of the application are; nothing in a text that is none.
local function open(text)
  if type(text) ~= 'string' then return end
  local ends, epoch, stays, at = head(text)
  if not ends or not epoch or not stays then return end
  -- -1 where nothing comes after it.
  local is_good, rest, fields = pcall(cmsgpack.unpack_one, text, at - 1)
  if not is_good or rest ~= -1 or type(fields) ~= 'table' then return end
  local size = 0
  for name, value in pairs(fields) do
    if type(name) ~= 'string' or type(value) ~= 'string' then return end
    if string.byte(name) == DOT then size = size + #name - 1 + #value end
  end
  return {ends = ends, epoch = epoch, stays = stays, fields = fields, size = size}
end

-- The session of a key; nothing if there is none (any more), or if it was ended with all others of its user. Those
-- of nobody are of the epoch 0.
local function find(key, epoch, now)
  local session = open(read(redis.pcall('GET', key)))
  if session and goes_on(session.epoch, session.stays, epoch, now) then return session end
end

-- What is left of a session under a ticket that leads on until somebody comes with the one after, but for the sign
-- of that; nothing of others.
local function waits(key)
  local text = read(redis.pcall('GET', key))
  return type(text) == 'string' and string.match(text, '^(t%x*)w$')
end

-- The text of a session.
local function close(session)
  local head = {'s' .. plain(session.ends), plain(session.epoch), plain(session.stays), ''}
  return table.concat(head, ' ') .. cmsgpack.pack(session.fields)
end

-- Writes a record, and gives it its end in the same step.
local function put(key, text, lives) redis.call('SET', key, text, 'PX', plain(lives)) end

-- Writes a session, which stays for so long if nobody comes, and never beyond its end; its text.
local function keep(key, session, idle, now)
  local lives = math.max(1, math.min(idle, session.ends - now))
  session.stays = now + lives
  local text = close(session)
  put(key, text, lives)
  return text
end

-- Lets a key live so long at least. Where the server refuses that to one without an end, it is gone: none is left
-- for ever.
local function extend(key, lives)
  local left = redis.call('PTTL', key)
  local done = left < lives and redis.pcall('PEXPIRE', key, plain(lives))
  if type(done) == 'table' and done.err then
    if left < 0 then redis.call('UNLINK', key) end
    error(done.err)
  end
end
