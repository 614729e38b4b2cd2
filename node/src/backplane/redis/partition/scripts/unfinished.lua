-- uses: time
-- Commands of this home whose acceptance began more than this time ago (ms) and was not finished: their node is gone, or a partition is
-- away. At most 16, the oldest first, so that the answer is bounded.
-- ARGV: milliseconds
-- Returns {id, frame, request, author, created, expires, shares} of each.
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', ACCEPTING, '-inf', string.format('%.0f', now() - ARGV[1]), 'LIMIT', 0, 16)) do
  local home = redis.call('HMGET', HOME .. id, 'frame', 'ask', 'by', 'created', 'expires', 'shares')
  if home[1] then
    table.insert(home, 1, id)
    found[#found + 1] = home
  else
    redis.call('ZREM', ACCEPTING, id)
  end
end
return found
