-- Renews a node's lease. Returns 1 if it held one, 0 if it had lost it (or never had one), the epoch, and the nodes whose leases
-- ran out. Terminals that were away for too long are forgotten on the way, a few at a time.
-- ARGV: node, view, lease in milliseconds, epoch for a new store, milliseconds after which a terminal is forgotten, the number up to
--       which the node has passed everything on
local time = now()
local held = redis.call('ZSCORE', NODES, ARGV[1])
redis.call('SET', LEASE .. ARGV[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', NODES, time + ARGV[3], ARGV[1])
redis.call('HSET', PLACES, ARGV[1], ARGV[6])
redis.call('SET', EPOCH, ARGV[4], 'NX')
for _, terminal in ipairs(redis.call('ZRANGEBYSCORE', AWAY, '-inf', time - ARGV[5], 'LIMIT', 0, 100)) do
  forget_terminal(terminal)
end
return { held and 1 or 0, redis.call('GET', EPOCH), redis.call('ZRANGEBYSCORE', NODES, '-inf', time) }
