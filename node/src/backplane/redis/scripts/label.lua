-- Gives a terminal labels, in place of those it was given before; they win over what it says of itself. Returns 1, or 0 if it is not
-- known.
-- ARGV: terminal, labels as a JSON object
local terminal = ARGV[1]
local record = redis.call('HGET', TERMINALS, terminal)
if not record then return 0 end
unlabel(terminal, record)
redis.call('HSET', GIVEN, terminal, ARGV[2])
label(terminal, record)
return 1
