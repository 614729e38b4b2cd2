-- Ends an import, in partition 0. From now on nodes use the store.
-- ARGV: version of the schema, checksum of the file
-- Returns 1, or 0 if it is another import, or none.
if redis.call('HGET', STORE, 'import') ~= ARGV[2] then return 0 end
redis.call('HSET', STORE, 'schema', ARGV[1])
redis.call('HDEL', STORE, 'import', 'base')
return 1
