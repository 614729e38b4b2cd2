-- uses: time, epoch, dead, due
-- Renews a node's lease, or takes it. A lease that lives and that another process of the same name holds is left alone. Nodes whose
-- leases ran out are declared dead on the way.
-- ARGV: node, process, sealed lease, how long it lasts (ms), name for a new lease or a new store, the number up to which the node has
--       passed everything on, the name of the store that it knows, the highest number that it has seen of that, the age at which
--       a command that is still accepting is to be finished (ms), the number of sessions that the node holds or '' to leave them alone, and
--       the checksum of their bitmap (held.lua)
-- Returns {process that holds the lease, that other's sealed lease} or {process, name of the lease, time, what is due (due.lua), dead nodes...}. The name is
-- another one after the node had lost the lease. It is a name and not a yes or no, since an answer can be lost: the next one says the
-- same. Dead nodes are those of which events are still to be told, some of them if there are many.
local node, process, time = ARGV[1], ARGV[2], now()
local lease, holder = unpack(redis.call('MGET', LEASE .. node, PROCESS .. node))
if lease and holder and holder ~= process then return { holder, lease } end
declare_expired(time)
-- What was registered under the lease of another process has ended with that.
if holder and holder ~= process then declare_dead(node, 'node_lost') end
local is_held = redis.call('ZSCORE', NODES, node)
redis.call('SET', LEASE .. node, ARGV[3], 'PX', ARGV[4])
redis.call('ZADD', NODES, string.format('%.0f', time + ARGV[4]), node)
if holder ~= process or not is_held then redis.call('SET', PROCESS .. node, process) end
if not is_held then redis.call('HSET', CLAIMS, node, ARGV[5]) end
redis.call('HSET', REACHED, node, ARGV[6])
name_store(ARGV[5], ARGV[7], ARGV[8])
local dead = redis.call('EXISTS', DEAD_NODES) == 1 and redis.call('HRANDFIELD', DEAD_NODES, 8) or {}
return { process, redis.call('HGET', CLAIMS, node) or '', string.format('%.0f', time), due_upkeep(time, ARGV[9], node, ARGV[10], ARGV[11]),
  unpack(dead) }
