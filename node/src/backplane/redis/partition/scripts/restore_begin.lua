-- uses: time
-- Makes a store for an import, in partition 0. Its schema is 0 until the import is done, so no node uses it. An import of the same file that did
-- not end goes on with what that one began with.
-- ARGV: number of partitions, id for the new store, checksum of the file
-- Returns {'ok', id, the time from which commands are numbered, 1 if it goes on, else 0} {'other', partitions} if the import of another file, or to
-- another number of partitions, did not end, or {'used'} if there is a store
local schema, partitions, id, import, base = unpack(redis.call('HMGET', STORE, 'schema', 'partitions', 'id', 'import', 'base'))
if not schema then
  base = string.format('%.0f', now())
  redis.call('HSET', STORE, 'schema', 0, 'partitions', ARGV[1], 'id', ARGV[2], 'created', base, 'import', ARGV[3], 'base', base)
  return { 'ok', ARGV[2], base, 0 }
end
if schema ~= '0' or not import then return { 'used' } end
if partitions ~= ARGV[1] or import ~= ARGV[3] then return { 'other', partitions } end
return { 'ok', id, base, 1 }
