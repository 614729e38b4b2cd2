-- Gives a terminal labels, in place of those it was given before; they win over what it says of itself. Returns its record or false.
-- ARGV: terminal, labels as a JSON object
local terminal = ARGV[1]
local record = redis.call('HGET', TERMINALS, terminal)
if not record then return false end
unlabel(terminal, record)
local changed = cjson.decode(record)
for key in pairs(cjson.decode(redis.call('HGET', GIVEN, terminal) or '{}')) do changed.labels[key] = nil end
for key, value in pairs(cjson.decode(ARGV[2])) do changed.labels[key] = value end
redis.call('HSET', GIVEN, terminal, ARGV[2])
record = cjson.encode(changed)
redis.call('HSET', TERMINALS, terminal, record)
label(terminal, record)
return record
