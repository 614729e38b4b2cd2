-- Stores a notice.
-- ARGV: name, record (JSON), the most that are stored, the place (JSON) of all notices if this is the first
-- Returns 1, or 0 if as many are stored as may be
if redis.call('HEXISTS', NOTICES, ARGV[1]) == 0 and redis.call('HLEN', NOTICES) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', NOTICES, ARGV[1], ARGV[2])
if redis.call('EXISTS', NOTICES_PLACE) == 0 then redis.call('HSET', NOTICES_PLACE, 'json', ARGV[4], 'revision', 1) end
return 1
