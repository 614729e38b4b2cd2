-- Saves a selector, in place of one that has its name.
-- ARGV: name, the selector as JSON, the most that are saved
-- Returns 1, or 0 if as many as that are saved
if redis.call('HEXISTS', SELECTORS, ARGV[1]) == 0 and redis.call('HLEN', SELECTORS) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', SELECTORS, ARGV[1], ARGV[2])
return 1
