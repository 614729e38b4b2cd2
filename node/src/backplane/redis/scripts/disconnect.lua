-- Has a terminal's node end its session. The session stays registered until it has ended. Returns 1, or 0 if there is none.
-- ARGV: terminal
local terminal = ARGV[1]
local node, session = owner(redis.call('HGET', ONLINE, terminal))
if not node then return 0 end
end_session(session, 'disconnected', node, '{"disconnect":{"terminal":"' .. terminal .. '"}}')
return 1
