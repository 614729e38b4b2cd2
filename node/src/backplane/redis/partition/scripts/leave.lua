-- uses: time, sessions
-- Unregisters a session, if it is still the terminal's. Returns 1 if it was, else 0.
-- ARGV: terminal, session, node, reason, 'lost' if its will is to be published, the number up to which it had everything
local terminal, session, node = ARGV[1], ARGV[2], ARGV[3]
redis.call('DEL', ENDED .. session)
local ord = redis.call('HGET', ORDINALS, terminal)
if not ord then return 0 end
local held_by, current = owner(redis.call('HGET', TERMINALS, ord))
if held_by ~= node or current ~= session or not holds(node, ord) then return 0 end
part(ord, terminal, node, ARGV[4], ARGV[5] == 'lost', ARGV[6], now())
return 1
