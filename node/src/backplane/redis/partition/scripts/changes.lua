-- Tells the last changes of a terminal (lib/changes.lua): a text, which is empty if there are none, or nothing if it is not known.
-- ARGV: terminal
local ord = redis.call('HGET', ORDINALS, ARGV[1])
if not ord then return false end
return redis.call('HGET', TERMINALS, ord .. '+') or ''
