-- uses: dead
-- Gives a node's lease back. A lease that lives is given back by the process that holds it, and by nobody else. Returns 1, or 0 if
-- another process holds it.
-- ARGV: node, process, reason
local node = ARGV[1]
local lease, holder = unpack(redis.call('MGET', LEASE .. node, PROCESS .. node))
if lease and holder ~= ARGV[2] then return 0 end
declare_dead(node, ARGV[3])
return 1
