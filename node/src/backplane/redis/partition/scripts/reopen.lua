-- uses: time
-- Marks a command that its home has as accepted as accepting again, since partitions have lost their shares with a master. Whoever
-- finishes it takes the shares again. A share whose targets were all settled is not worth that, and what was cancelled or is done stays
-- so: the mark that keeps a share from being taken may be lost with it. A command that is not accepted yet is returned as it is.
-- ARGV: command, the number of targets that each partition is thought to have (JSON), then the partitions that have lost their shares
-- Returns {id, frame, request, author, created, expires, shares} as unfinished.lua, or {} if it stays as it is
local id, time, home = ARGV[1], now(), HOME .. ARGV[1]
local state, expires, cancelled, done = unpack(redis.call('HMGET', home, 'state', 'expires', 'cancelled_at', 'done'))
if state == 'accepted' then
  if cancelled or done or tonumber(expires) <= time then return {} end
  local is_missed = false
  for i = 3, #ARGV do is_missed = is_missed or redis.call('HEXISTS', home, 'settled:' .. ARGV[i]) == 0 end
  if not is_missed then return {} end
  redis.call('HSET', home, 'state', 'accepting', 'shares', ARGV[2])
  redis.call('ZADD', ACCEPTING, string.format('%.0f', time), id)
elseif state ~= 'accepting' then
  return {}
end
local found = redis.call('HMGET', home, 'frame', 'ask', 'by', 'created', 'expires', 'shares')
table.insert(found, 1, id)
return found
