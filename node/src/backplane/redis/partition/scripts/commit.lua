-- uses: time, done
-- Marks a command accepted at its home, when each partition has its share or can't have it any more.
-- ARGV: command, what became of each share (JSON), the number of shares with targets, of targets, of rejected ones, and of those whose
--       share came too late
-- Returns 1, or 0 if the command is not stored.
local home = HOME .. ARGV[1]
if redis.call('EXISTS', home) == 0 then return 0 end
if redis.call('ZREM', ACCEPTING, ARGV[1]) == 1 then redis.call('INCRBY', ACCEPTED, 1) end
redis.call('HSET', home, 'state', 'accepted', 'shares', ARGV[2], 'wanted', ARGV[3], 'of', ARGV[4], 'rejected', ARGV[5], 'late', ARGV[6])
if tonumber(redis.call('HGET', home, 'settled') or 0) >= tonumber(ARGV[3]) then end_at_home(ARGV[1], now()) end
return 1
