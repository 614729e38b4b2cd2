-- Forgets a terminal: its record, its labels, what waits for it. Returns 1, or 0 if it was not known. Its node ends its session.
-- ARGV: terminal
local node = owner(redis.call('HGET', ONLINE, ARGV[1]))
if node then redis.call('SPUBLISH', INBOX .. node, '{"remove":{"terminal":"' .. ARGV[1] .. '"}}') end
return forget_terminal(ARGV[1])
