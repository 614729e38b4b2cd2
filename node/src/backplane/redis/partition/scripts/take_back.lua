-- Removes a revocation.
-- ARGV: id, a revision that was never used
-- Returns 1, or 0 if it is not stored
if redis.call('HDEL', REVOCATIONS, ARGV[1]) == 0 then return 0 end
redis.call('ZREM', REVOCATIONS_DUE, ARGV[1])
redis.call('SET', REVOCATIONS_REVISION, ARGV[2])
return 1
