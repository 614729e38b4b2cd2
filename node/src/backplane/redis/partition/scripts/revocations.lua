-- All revocations, of which as many are stored as revoke.lua lets be, unless the caller has them. The revision is no number that is
-- counted up: after a failover that lost the last change, a count would come to the same number again for another change.
-- ARGV: the revision that the caller has
-- Returns the revision, 1 if it is another one, and then the revocations as JSON
local revision = redis.call('GET', REVOCATIONS_REVISION) or ''
if revision == ARGV[1] then return { revision, 0, {} } end
return { revision, 1, redis.call('HVALS', REVOCATIONS) }
