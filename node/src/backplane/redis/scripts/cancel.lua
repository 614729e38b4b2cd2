-- Cancels a command: what was not sent will not be. Returns 1, or 0 if there is no such command.
-- ARGV: command
local command = COMMAND .. ARGV[1]
if redis.call('EXISTS', command) == 0 then return 0 end
if redis.call('HSETNX', command, 'cancelled_at', now()) == 1 then
  redis.call('PUBLISH', BROADCAST, '{"cancel":{"command":"' .. ARGV[1] .. '"}}')
  emit('command.state', '{"command":"' .. ARGV[1] .. '","state":"cancelled"}')
end
return 1
