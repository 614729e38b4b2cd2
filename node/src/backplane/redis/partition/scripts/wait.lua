-- Notes at a command's home that a node waits until it is done.
-- ARGV: command, node
-- Returns 1 if there is nothing to wait for: it is done, cancelled or not known. Else 0.
local key = HOME .. ARGV[1]
if redis.call('EXISTS', key) == 0 then key = COMMAND .. ARGV[1] end
local expires, done, cancelled, waiters = unpack(redis.call('HMGET', key, 'expires', 'done', 'cancelled_at', 'waiters'))
if not expires or done or cancelled then return 1 end
local node = ' ' .. ARGV[2] .. ' '
if not waiters or not string.find(waiters, node, 1, true) then redis.call('HSET', key, 'waiters', (waiters or '') .. node) end
return 0
