-- Unregisters a session, if it is still the terminal's. Returns 1 if it was, else 0.
-- ARGV: terminal, session, node, reason, 'lost' if its will is to be published, time, the number up to which it had everything
local terminal = ARGV[1]
redis.call('DEL', ENDED .. ARGV[2])
if redis.call('HGET', ONLINE, terminal) ~= ARGV[3] .. ' ' .. ARGV[2] then return 0 end
part(terminal, ARGV[3], ARGV[4], ARGV[6], ARGV[5] == 'lost', ARGV[7])
return 1
