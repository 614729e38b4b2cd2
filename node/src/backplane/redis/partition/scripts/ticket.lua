-- uses: time
-- A ticket that is good once. Each call removes at most 16 that have expired.
-- ARGV: 'put', hash, what it stands for, how long it is good (ms), how many may be stored; or 'take', hash
-- Returns {'ok'} or {'full'} of a put, {'ok', what it stands for} or {'none'} of a take
local step, name, time = ARGV[1], ARGV[2], now()
for _, old in ipairs(redis.call('ZRANGEBYSCORE', TICKETS_DUE, '-inf', time, 'LIMIT', 0, 16)) do
  redis.call('ZREM', TICKETS_DUE, old)
  redis.call('HDEL', TICKETS, old)
end
if step == 'take' then
  local stands_for, till = redis.call('HGET', TICKETS, name), redis.call('ZSCORE', TICKETS_DUE, name)
  if not stands_for then return { 'none' } end
  redis.call('ZREM', TICKETS_DUE, name)
  redis.call('HDEL', TICKETS, name)
  if tonumber(till) <= time then return { 'none' } end
  return { 'ok', stands_for }
end
if redis.call('ZCARD', TICKETS_DUE) >= tonumber(ARGV[5]) then return { 'full' } end
redis.call('HSET', TICKETS, name, ARGV[3])
redis.call('ZADD', TICKETS_DUE, string.format('%.0f', time + ARGV[4]), name)
return { 'ok' }
