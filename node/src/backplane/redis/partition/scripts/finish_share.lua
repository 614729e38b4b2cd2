-- uses: time, done
-- Tells a command's home that all targets in a partition are settled. When that is so for every share, the command is done.
-- ARGV: command, partition
-- Returns 1 if the command is done by that, else 0.
local home = HOME .. ARGV[1]
if redis.call('EXISTS', home) == 0 or redis.call('HSETNX', home, 'settled:' .. ARGV[2], 1) == 0 then return 0 end
local settled, wanted = redis.call('HINCRBY', home, 'settled', 1), tonumber(redis.call('HGET', home, 'wanted'))
return wanted and settled >= wanted and end_at_home(ARGV[1], now()) and 1 or 0
