-- Targets of a rollout, in their frozen order.
-- ARGV: id, position of the first, position of the last
-- Returns their ids
return redis.call('ZRANGE', ROLLOUT .. ARGV[1] .. ':targets', ARGV[2], ARGV[3])
