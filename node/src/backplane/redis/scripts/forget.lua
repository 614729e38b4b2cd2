-- Forgets a terminal: its record, its labels, what waits for it. Returns 1, or 0 if it was not known. If it is online, its node ends
-- its session, and followers of the events are told here: by the time the session ends nothing is left to unregister. The last
-- session of a terminal that is offline is ended too: a node that lost its lease may still have it.
-- ARGV: terminal, time
local terminal = ARGV[1]
local record = redis.call('HGET', TERMINALS, terminal)
if not record then return 0 end
local node = owner(redis.call('HGET', ONLINE, terminal))
end_session(cjson.decode(record).session, 'removed', node, '{"remove":{"terminal":"' .. terminal .. '"}}')
if node then part(terminal, node, 'removed', ARGV[2], false, 0) end
return forget_terminal(terminal)
