-- Renews a node's lease, or takes it; one that lives and that another process of the same name holds is left alone. Returns the
-- process that holds it, and then either that other's view, or the lease's name, which is another one after the node had lost it,
-- and the nodes whose leases ran out. A name and not a yes or no, since an answer can be lost: the next one says the same.
-- Terminals that were away for too long are forgotten on the way, a few at a time.
-- ARGV: node, view, lease in milliseconds, name for a new lease or a new store, milliseconds after which a terminal is forgotten,
--       the number up to which the node has passed everything on, the epoch that it knows, the highest number that it has seen of
--       that, process, time
local node, process, time = ARGV[1], ARGV[9], now()
local view, holder = redis.call('GET', LEASE .. node), redis.call('HGET', PROCESSES, node)
if view and holder and holder ~= process then return { holder, view, {} } end
-- What was registered under the lease of another process has ended with that.
if holder and holder ~= process then bury(node, 'node_lost', ARGV[10]) end
local held = redis.call('ZSCORE', NODES, node)
redis.call('SET', LEASE .. node, ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', NODES, time + ARGV[3], node)
redis.call('HSET', PROCESSES, node, process)
if not held then redis.call('HSET', CLAIMS, node, ARGV[4]) end
redis.call('HSET', REACHED, node, ARGV[6])
name_store(ARGV[4], ARGV[7], ARGV[8])
for _, terminal in ipairs(redis.call('ZRANGEBYSCORE', AWAY, '-inf', time - ARGV[5], 'LIMIT', 0, 100)) do
  forget_terminal(terminal)
end
return { process, redis.call('HGET', CLAIMS, node) or '', redis.call('ZRANGEBYSCORE', NODES, '-inf', time) }
