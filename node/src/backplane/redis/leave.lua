-- Unregisters a session, if it is still the terminal's. Returns 1 if it was, else 0.
-- KEYS: online, held   ARGV: terminal, session, node
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[3] .. ' ' .. ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('SREM', KEYS[2], ARGV[1])
return 1
