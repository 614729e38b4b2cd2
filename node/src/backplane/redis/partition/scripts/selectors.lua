-- Saved selectors, of which there are 128 at most.
-- ARGV: the names of those that are wanted; none for all
-- Returns those that are saved, as JSON
if #ARGV == 0 then return redis.call('HVALS', SELECTORS) end
local found = {}
for _, json in ipairs(redis.call('HMGET', SELECTORS, unpack(ARGV))) do
  if json then found[#found + 1] = json end
end
return found
