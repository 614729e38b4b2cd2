-- uses: tmp, bitmaps, owner
-- Tells how the registry differs from what a node holds: a bitmap of what it lacks, then terminal and session of what only the registry
-- holds, STEP_MAX of these at most.
-- ARGV: node, what it holds as a bitmap
local registered, theirs, difference = HELD .. ARGV[1], new_tmp(), new_tmp()
redis.call('SET', theirs, ARGV[2])
redis.call('BITOP', 'XOR', difference, registered, theirs)
local lacking, extra = new_tmp(), new_tmp()
redis.call('BITOP', 'AND', lacking, difference, theirs)
redis.call('BITOP', 'AND', extra, difference, registered)
local answer, ords = { redis.call('GET', lacking) or '' }, {}
local at = redis.call('BITPOS', extra, 1)
while at >= 0 and #ords < STEP_MAX do
  local first = at - at % STEP_MAX
  each_bit(redis.call('GETRANGE', extra, first / 8, first / 8 + 63), function(place)
    if #ords < STEP_MAX then ords[#ords + 1] = first + place end
  end)
  at = redis.call('BITPOS', extra, 1, first / 8 + 64)
end
if #ords > 0 then
  for _, entry in ipairs(redis.call('HMGET', TERMINALS, unpack(ords))) do
    local _, session = owner(entry)
    answer[#answer + 1] = entry and name_in(entry) or ''
    answer[#answer + 1] = session or ''
  end
end
drop_tmp()
return answer
