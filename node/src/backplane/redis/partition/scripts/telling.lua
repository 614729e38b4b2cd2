-- uses: time
-- What is still to be told of commands, some of it, from a place that differs from call to call: one that can't be told keeps no other
-- waiting.
-- Returns at most 16 commands of this home that are done and whose event is not written, and at most 16 commands whose targets in this
-- partition are all settled and whose homes do not know it.
local function some(key)
  local from = now() % math.max(1, redis.call('ZCARD', key) - 15)
  return redis.call('ZRANGE', key, from, from + 15)
end
return { some(TELLING), some(SETTLED_HERE) }
