-- uses: time, bury
-- Tells of the sessions of a node that was declared dead, in portions. Returns {sessions, 1 if there are more}.
-- ARGV: node
local count, has_more = bury_portion(ARGV[1], now())
return { count, has_more and 1 or 0 }
