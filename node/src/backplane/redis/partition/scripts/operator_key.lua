-- An operator's key.
-- ARGV: id
-- Returns its JSON and when it was last used (ms) or ''; nothing if it is not listed
local json = redis.call('HGET', OPERATOR_KEYS, ARGV[1])
if not json then return {} end
return { json, redis.call('HGET', OPERATOR_KEYS_USED, ARGV[1]) or '' }
