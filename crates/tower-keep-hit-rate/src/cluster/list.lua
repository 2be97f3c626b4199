-- Lists who told, those first that told last, for a reader that then takes no more than it can hold.
-- KEYS: as for telling. ARGV[1]: the time in milliseconds (0: the server's) and the time to live, of 16 characters
-- each. Answers with the time (16 digits), then for each process its name (16), when it told (16 digits), and the
-- length of what is there (8): 0 where that is not under a name of this length, or longer than eight digits say.
local MOST = 256
local now = tonumber(string.sub(ARGV[1], 1, 16))
local lives = tonumber(string.sub(ARGV[1], 17, 32))
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local answer = {string.format('%016d', now)}
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' or redis.call('TYPE', KEYS[2]).ok ~= 'zset' then
  return answer[1]
end
local told = redis.call('ZREVRANGE', KEYS[2], 0, MOST - 1, 'WITHSCORES')
for i = 1, #told, 2 do
  local process, at = told[i], math.min(tonumber(told[i + 1]), now)
  local length = redis.call('HSTRLEN', KEYS[1], process)
  if at > now - lives and length > 0 then
    if #process ~= 16 then process, length = string.rep('-', 16), 0 end
    if length > 99999999 then length = 0 end
    answer[#answer + 1] = process .. string.format('%016d%08d', at, length)
  end
end
return table.concat(answer)
