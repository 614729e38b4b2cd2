-- Keeps what targets said of a command, in place of what they said before, for as long as the command is kept.
-- ARGV: command, then terminal, payload, ...
local command = COMMAND .. ARGV[1]
local ttl = redis.call('PTTL', command)
if ttl <= 0 then return end
for i = 2, #ARGV, 2 do
  if redis.call('HEXISTS', command .. TARGETS, ARGV[i]) == 1 then
    redis.call('HSET', command .. REPLIES, ARGV[i], ARGV[i + 1])
  end
end
redis.call('PEXPIRE', command .. REPLIES, ttl)
