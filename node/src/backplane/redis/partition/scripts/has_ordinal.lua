-- uses: time, ordinals
-- Tells whether a terminal can be registered: 1 if it is known, 2 if it is new and an ord is there for it, 0 if there is none.
-- ARGV: terminal
if redis.call('HEXISTS', ORDINALS, ARGV[1]) == 1 then return 1 end
local _, is_refused = freed_ord(now())
return is_refused and 0 or 2
