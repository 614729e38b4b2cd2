-- Takes a node that is gone out of the registry, with the sessions that are still its own. Returns how many they were.
-- A lease that lives is given up by the process that holds it, and by nobody else.
-- ARGV: node, reason, time, process
local node = ARGV[1]
if redis.call('EXISTS', LEASE .. node) == 1 and redis.call('HGET', PROCESSES, node) ~= ARGV[4] then return 0 end
local count, reached = 0, redis.call('HGET', REACHED, node) or 0
for _, terminal in ipairs(redis.call('SMEMBERS', HELD .. node)) do
  if owner(redis.call('HGET', ONLINE, terminal)) == node then
    part(terminal, node, ARGV[2], ARGV[3], true, reached)
    count = count + 1
  end
end
redis.call('DEL', HELD .. node, LEASE .. node)
redis.call('ZREM', NODES, node)
redis.call('HDEL', INBOXES, node)
redis.call('HDEL', REACHED, node)
redis.call('HDEL', CLAIMS, node)
redis.call('HDEL', PROCESSES, node)
return count
