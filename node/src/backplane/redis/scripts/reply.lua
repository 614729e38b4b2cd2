-- Stores what targets last sent about a command, in place of what they sent before, for as long as the command is stored. JSON null is
-- what is shown where nothing is stored.
-- ARGV: command, then terminal, payload, ...
local command = COMMAND .. ARGV[1]
local ttl = redis.call('PTTL', command)
if ttl <= 0 then return end
for i = 2, #ARGV, 2 do
  if redis.call('HEXISTS', command .. TARGETS, ARGV[i]) == 1 then
    if ARGV[i + 1] == 'null' then
      redis.call('HDEL', command .. REPLIES, ARGV[i])
    else
      redis.call('HSET', command .. REPLIES, ARGV[i], ARGV[i + 1])
    end
  end
end
redis.call('PEXPIRE', command .. REPLIES, ttl)
