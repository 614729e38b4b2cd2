-- uses: time, labels, record_change
-- Gives a terminal labels, in place of those it was given before; they overrule what it says of itself. Returns 1, or 0 if it is not known.
-- ARGV: terminal, labels as a JSON object
local ord = redis.call('HGET', ORDINALS, ARGV[1])
if not ord then return 0 end
local record = string.match(redis.call('HGET', TERMINALS, ord), '\n(.*)')
local old = all_labels(record, redis.call('HGET', GIVEN, ord))
if relabel(ord, old, all_labels(record, ARGV[2])) then record_change(ord, CHANGE_LABELS, 'o', now()) end
if ARGV[2] == '{}' then redis.call('HDEL', GIVEN, ord) else redis.call('HSET', GIVEN, ord, ARGV[2]) end
return 1
