-- A rollout.
-- ARGV: id
-- Returns its record (JSON) and its revision; nothing if it is not stored
local stored = redis.call('HMGET', ROLLOUT .. ARGV[1], 'json', 'revision')
if not stored[1] then return {} end
return stored
