-- Removes a notice and what waits for its receiver. With the last one goes what was kept for all of them.
-- ARGV: name
-- Returns 1, or 0 if there is none
local name = ARGV[1]
if redis.call('HDEL', NOTICES, name) == 0 then return 0 end
redis.call('HDEL', NOTICES_BYTES, name)
redis.call('HDEL', NOTICES_LOST, name)
redis.call('UNLINK', NOTICE .. name, NOTICE .. name .. ':due', NOTICE .. name .. ':attempts')
if redis.call('HLEN', NOTICES) == 0 then redis.call('UNLINK', NOTICES_PLACE, NOTICES_AWAY, NOTICES_CARRIER, NODES_LOST) end
return 1
