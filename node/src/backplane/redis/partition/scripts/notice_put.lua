-- Stores a notice, if the one with its name has the secret that the change was decided on.
-- ARGV: name, record (JSON), the most that are stored, the place (JSON) of all notices if this is the first, the secret of the notice that
--       is replaced or '' if there is to be none
-- Returns 'stored', 'other' if the notice has another secret or is there or gone since, or 'full' if as many are stored as may be
local before = redis.call('HGET', NOTICES, ARGV[1])
if (before and cjson.decode(before).secret or '') ~= ARGV[5] then return 'other' end
if not before and redis.call('HLEN', NOTICES) >= tonumber(ARGV[3]) then return 'full' end
redis.call('HSET', NOTICES, ARGV[1], ARGV[2])
if redis.call('EXISTS', NOTICES_PLACE) == 0 then redis.call('HSET', NOTICES_PLACE, 'json', ARGV[4], 'revision', 1) end
return 'stored'
