-- Forgets a terminal: its record, its labels, what waits for it. Returns 1, or 0 if it was not known. If it is online, its node ends
-- its session, and followers of the events are told here: by the time the session ends nothing is left to unregister.
-- ARGV: terminal, time
local terminal = ARGV[1]
local node = owner(redis.call('HGET', ONLINE, terminal))
if node then
  redis.call('SPUBLISH', INBOX .. node, '{"remove":{"terminal":"' .. terminal .. '"}}')
  part(terminal, node, 'removed', ARGV[2], false, 0)
end
return forget_terminal(terminal)
