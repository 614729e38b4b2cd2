-- Renews a node's lease. Returns 1 if it held one, 0 if it had lost it (or never had one), the epoch, and the nodes whose leases
-- ran out. Terminals that were away for too long are forgotten on the way, a few at a time.
-- ARGV: node, view, lease in milliseconds, epoch for a new store, milliseconds after which a terminal is forgotten, the number up to
--       which the node has passed everything on, the epoch that it knows, the highest number that it has seen of that
local time = now()
local held = redis.call('ZSCORE', NODES, ARGV[1])
redis.call('SET', LEASE .. ARGV[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', NODES, time + ARGV[3], ARGV[1])
redis.call('HSET', PLACES, ARGV[1], ARGV[6])
local epoch = name_store(ARGV[4], ARGV[7], ARGV[8])
for _, terminal in ipairs(redis.call('ZRANGEBYSCORE', AWAY, '-inf', time - ARGV[5], 'LIMIT', 0, 100)) do
  forget_terminal(terminal)
end
return { held and 1 or 0, epoch, redis.call('ZRANGEBYSCORE', NODES, '-inf', time) }
