-- Raises the schema of the store, in partition 0, if the store is still the one that the caller looked at.
-- ARGV: id of the store, its schema, the new one
-- Returns 1; or 0 if the store has another id or another schema by now, or is gone
local schema, id = unpack(redis.call('HMGET', STORE, 'schema', 'id'))
if id ~= ARGV[1] or schema ~= ARGV[2] then return 0 end
redis.call('HSET', STORE, 'schema', ARGV[3])
return 1
