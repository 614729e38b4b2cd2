-- uses: time
-- Records an attempt to deliver a message of a notice.
-- ARGV: name, id of the message, the message (JSON) as it waits on or '' if it waits no more, how long (ms), the bytes of its body, the
--       attempt (JSON), the most attempts that are kept
-- Returns 1, or 0 if the notice was removed
local name, id, key = ARGV[1], ARGV[2], NOTICE .. ARGV[1]
if redis.call('HEXISTS', NOTICES, name) == 0 then return 0 end
if redis.call('HEXISTS', key, id) == 1 then
  if ARGV[3] == '' then
    redis.call('HDEL', key, id)
    redis.call('ZREM', key .. ':due', id)
    redis.call('HINCRBY', NOTICES_BYTES, name, 0 - ARGV[5])
  else
    redis.call('HSET', key, id, ARGV[3])
    redis.call('ZADD', key .. ':due', string.format('%.0f', now() + ARGV[4]), id)
  end
end
if redis.call('RPUSH', key .. ':attempts', ARGV[6]) > tonumber(ARGV[7]) then redis.call('LPOP', key .. ':attempts') end
return 1
