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

-- The user's epoch: sessions of an earlier one are over.
local function epoch_of(key) return whole(read(redis.pcall('GET', key))) or 0 end

-- Milliseconds since 1970: as given, or the server's own.
local function clock(given)
  if given ~= 0 then return given end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Where the index of a user says that a session is: 'created digest label'.
local function digest_of(entry) return type(entry) == 'string' and string.match(entry, '^%d+ (%x+) ') end

-- The end and the name of a session that asks for something; nothing if it has ended itself.
local function asks_of(key, epoch)
  local system = read(redis.pcall('HMGET', key, '@a', '@e', '@d'))
  if system and whole(system[1]) and (whole(system[2]) or 0) >= epoch then return system end
end

-- Lets a key live so long at least.
local function extend(key, lives)
  if redis.call('PTTL', key) < lives then redis.call('PEXPIRE', key, plain(lives)) end
end

-- Gives a key its end. Where the server refuses that, it is gone: none is left for ever.
local function ends_in(key, lives)
  local done = redis.pcall('PEXPIRE', key, plain(lives))
  if type(done) == 'table' and done.err then
    redis.call('UNLINK', key)
    error(done.err)
  end
end
