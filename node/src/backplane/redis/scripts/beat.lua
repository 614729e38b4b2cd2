-- Renews a node's lease. Returns the lease's name, which is another one after the node had lost it, the epoch, and the nodes whose
-- leases ran out. A name and not a yes or no, since an answer can be lost: the next one says the same. Terminals that were away
-- for too long are forgotten on the way, a few at a time.
-- ARGV: node, view, lease in milliseconds, name for a new lease or a new store, milliseconds after which a terminal is forgotten, the number up to
--       which the node has passed everything on, the epoch that it knows, the highest number that it has seen of that
local time = now()
local held = redis.call('ZSCORE', NODES, ARGV[1])
redis.call('SET', LEASE .. ARGV[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', NODES, time + ARGV[3], ARGV[1])
if not held then redis.call('HSET', CLAIMS, ARGV[1], ARGV[4]) end
redis.call('HSET', PLACES, ARGV[1], ARGV[6])
local epoch = name_store(ARGV[4], ARGV[7], ARGV[8])
for _, terminal in ipairs(redis.call('ZRANGEBYSCORE', AWAY, '-inf', time - ARGV[5], 'LIMIT', 0, 100)) do
  forget_terminal(terminal)
end
return { redis.call('HGET', CLAIMS, ARGV[1]) or '', epoch, redis.call('ZRANGEBYSCORE', NODES, '-inf', time) }
