-- uses: time
-- What the store says of itself, in partition 0. A store that is new, or was lost, gets what the node says.
-- ARGV: version of the schema, number of partitions, id for a new store
-- Returns {schema, partitions, id}
if redis.call('EXISTS', STORE) == 0 then
  redis.call('HSET', STORE, 'schema', ARGV[1], 'partitions', ARGV[2], 'id', ARGV[3], 'created', string.format('%.0f', now()))
end
return redis.call('HMGET', STORE, 'schema', 'partitions', 'id')
