-- Ends the import of a partition: what is accepted from now on has a number above those of the import.
-- ARGV: name for the new store, the last number of the import
redis.call('SET', EPOCH, ARGV[1], 'NX')
if tonumber(redis.call('GET', SEQ) or 0) < tonumber(ARGV[2]) then redis.call('SET', SEQ, ARGV[2]) end
-- The log has none of these, and does not lack them either.
redis.call('HSET', MARKS, 'trimmed', ARGV[2])
