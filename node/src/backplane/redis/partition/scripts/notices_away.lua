-- Terminals that went offline, in that order.
-- ARGV: the score behind which they come, the last score, how many
-- Returns a terminal and its score each
return redis.call('ZRANGEBYSCORE', NOTICES_AWAY, '(' .. ARGV[1], ARGV[2], 'WITHSCORES', 'LIMIT', 0, ARGV[3])
