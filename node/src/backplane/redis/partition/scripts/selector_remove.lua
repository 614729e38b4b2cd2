-- Removes a saved selector. Returns 1, or 0 if there is none.
-- ARGV: name
return redis.call('HDEL', SELECTORS, ARGV[1])
