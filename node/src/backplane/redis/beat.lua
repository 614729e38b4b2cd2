-- Renews a node's lease. Returns 1 if it held one, 0 if it had lost it (or never had one), and the nodes whose leases ran out.
-- KEYS: nodes, lease   ARGV: node, view, lease in milliseconds
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
return { held and 1 or 0, redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now) }
