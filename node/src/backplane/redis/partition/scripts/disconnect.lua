-- uses: sessions
-- Has a terminal's node end its session. The session stays registered until it has ended. Returns 1, or 0 if there is none.
-- ARGV: terminal
local terminal = ARGV[1]
local ord = redis.call('HGET', ORDINALS, terminal)
local node, session = owner(ord and redis.call('HGET', TERMINALS, ord))
if not node or not holds(node, ord) then return 0 end
end_session(session, 'disconnected', node, '{"disconnect":{"terminal":"' .. terminal .. '"}}')
return 1
