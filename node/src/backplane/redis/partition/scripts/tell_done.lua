-- uses: events
-- Writes the event of a command that is done, at its home, once.
-- ARGV: command, the event's data
-- Returns 1 if it was written by this.
local home = HOME .. ARGV[1]
redis.call('ZREM', TELLING, ARGV[1])
if redis.call('EXISTS', home) == 0 or redis.call('HSETNX', home, 'told', 1) == 0 then return 0 end
emit('command.done', ARGV[2])
return 1
