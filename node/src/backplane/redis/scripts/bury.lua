-- Takes a node that is gone out of the registry, with the sessions that are still its own. Returns how many they were.
-- A lease that lives is given up by the process that holds it, and by nobody else.
-- ARGV: node, reason, time, process
local node = ARGV[1]
if redis.call('EXISTS', LEASE .. node) == 1 and redis.call('HGET', PROCESSES, node) ~= ARGV[4] then return 0 end
return bury(node, ARGV[2], ARGV[3])
