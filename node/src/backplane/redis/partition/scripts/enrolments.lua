-- A page of enrolments, those first that end first.
-- ARGV: how many to pass over, how many to look at
-- Returns the number that was looked at, and of each that has not ended its JSON, state, terminal and address
local ids = redis.call('ZRANGE', ENROLMENTS, ARGV[1], ARGV[1] + ARGV[2] - 1)
local found = {}
for _, id in ipairs(ids) do
  local stored = redis.call('HMGET', ENROLMENT .. id, 'json', 'state', 'terminal', 'address')
  if stored[1] then found[#found + 1] = { stored[1], stored[2], stored[3], stored[4] or '' } end
end
return { #ids, found }
