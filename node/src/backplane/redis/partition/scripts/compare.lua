-- uses: held
-- Whether the registry says that a node holds so many sessions, of the terminals with this checksum (held.lua). Returns 1 or 0.
-- ARGV: node, count, checksum
local key = HELD .. ARGV[1]
if redis.call('BITCOUNT', key) ~= tonumber(ARGV[2]) then return 0 end
return checksum(redis.call('GET', key) or '') == ARGV[3] and 1 or 0
