-- uses: done
-- Tells a command's home that all targets in a partition are settled. When that is so for every share, the command is done.
-- ARGV: command, partition
-- Returns 1 if the command is done by that, else 0.
local home = HOME .. ARGV[1]
if redis.call('EXISTS', home) == 0 or redis.call('HSETNX', home, 'settled:' .. ARGV[2], 1) == 0 then return 0 end
local settled, wanted = redis.call('HINCRBY', home, 'settled', 1), tonumber(redis.call('HGET', home, 'wanted'))
if not wanted or settled < wanted or redis.call('HSETNX', home, 'done', 1) == 0 then return 0 end
tell_done(ARGV[1], redis.call('HGET', home, 'waiters'))
return 1
