-- Appends a record to the invalidation log, and answers with the position, epoch and nonce of the
-- last record then.
-- KEYS[1]  the log, a stream
-- ARGV     1 changes  2 nonce  3 an epoch to begin  4 the epoch to end  5 only if absent (1, 0)
--          6 records to keep  7 time to live in ms
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local position, epoch, previous = 1, ARGV[3], '\0\0\0\0\0\0\0\0'
local fields = {}
if last then
  for i = 1, #last[2], 2 do fields[last[2][i]] = last[2][i + 1] end
  local ours = string.match(last[1], '^%d+-0$') and fields.e and #fields.e == 8
    and fields.n and #fields.n == 8
  if not ours then
    -- Somebody else wrote here. What cannot be continued begins anew.
    redis.call('UNLINK', KEYS[1])
    last = nil
  end
end
if last then
  local at = tonumber(string.match(last[1], '^%d+'))
  if ARGV[5] == '1' or (ARGV[1] == '' and fields.e ~= ARGV[4]) then
    return {at, fields.e, fields.n}
  end
  position, previous = at + 1, fields.n
  if fields.e ~= ARGV[4] then epoch = fields.e end
end
local function add()
  return redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[6], string.format('%.0f-0', position),
    'e', epoch, 'p', previous, 'n', ARGV[2], 'c', ARGV[1])
end
local added = add()
if added.err and string.find(added.err, 'equal or smaller', 1, true) then
  -- The last record was taken out by hand: this log cannot be continued, so another one begins.
  redis.call('UNLINK', KEYS[1])
  epoch = ARGV[3]
  added = add()
end
if added.err then return added end
redis.call('PEXPIRE', KEYS[1], ARGV[7])
return {position, epoch, ARGV[2]}
