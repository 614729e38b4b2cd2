-- Cancels a command: what was not sent will not be. Returns 1, or 0 if there is no such command. One that has expired, or was sent
-- to all, has nothing left to cancel, and stays as it is.
-- ARGV: command
local command = COMMAND .. ARGV[1]
local expires, queued = unpack(redis.call('HMGET', command, 'expires', 'queued'))
if not expires then return 0 end
if tonumber(expires) > now() and tonumber(queued) > 0 and redis.call('HSETNX', command, 'cancelled_at', now()) == 1 then
  redis.call('SPUBLISH', BROADCAST, '{"cancel":{"command":"' .. ARGV[1] .. '"}}')
  emit('command.state', '{"command":"' .. ARGV[1] .. '","state":"cancelled"}')
end
return 1
