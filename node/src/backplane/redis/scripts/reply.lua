-- Keeps what a target said of a command, in place of what it said before, for as long as the command is kept.
-- ARGV: command, terminal, payload
local command = COMMAND .. ARGV[1]
if redis.call('HEXISTS', command .. TARGETS, ARGV[2]) == 0 then return end
redis.call('HSET', command .. REPLIES, ARGV[2], ARGV[3])
redis.call('PEXPIRE', command .. REPLIES, math.max(redis.call('PTTL', command), 1))
