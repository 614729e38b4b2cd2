-- uses: time
-- Stores a revocation. At most 64 that have ended are removed first.
-- ARGV: id, the revocation as JSON, when it ends (ms), the most that are stored, a revision that was never used
-- Returns 1, or 0 if as many as that are stored
for _, id in ipairs(redis.call('ZRANGEBYSCORE', REVOCATIONS_DUE, '-inf', string.format('%.0f', now()), 'LIMIT', 0, 64)) do
  redis.call('HDEL', REVOCATIONS, id)
  redis.call('ZREM', REVOCATIONS_DUE, id)
end
if redis.call('HLEN', REVOCATIONS) >= tonumber(ARGV[4]) then return 0 end
redis.call('HSET', REVOCATIONS, ARGV[1], ARGV[2])
redis.call('ZADD', REVOCATIONS_DUE, ARGV[3], ARGV[1])
redis.call('SET', REVOCATIONS_REVISION, ARGV[5])
return 1
