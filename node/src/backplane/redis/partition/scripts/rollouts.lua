-- A page of rollouts, newest first.
-- ARGV: the rollout before, or '', how many to look at
-- Returns their records (JSON)
local before = ARGV[1] == '' and '+' or '(' .. ARGV[1]
local found = {}
for _, id in ipairs(redis.call('ZRANGE', ROLLOUTS, before, '-', 'BYLEX', 'REV', 'LIMIT', 0, ARGV[2])) do
  found[#found + 1] = redis.call('HGET', ROLLOUT .. id, 'json')
end
return found
