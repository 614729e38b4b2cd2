-- Commands that are stored here, or have their home here, in the order in which they may be forgotten: at most STEP_MAX a call, and then
-- those that have the same time as the last of them, 4,096 at most.
-- ARGV: the time behind which the page begins (ms), or '-inf'
-- Returns {the time behind which to go on or '', then three values a command: id, the number of its share or '' if there is none, created}
local from = ARGV[1] == '-inf' and '-inf' or '(' .. ARGV[1]
local found = redis.call('ZRANGE', STORED, from, '+inf', 'BYSCORE', 'LIMIT', 0, STEP_MAX, 'WITHSCORES')
local answer, seen = { '' }, {}

local function add(id)
  if seen[id] then return end
  seen[id] = true
  local of, number, created = unpack(redis.call('HMGET', COMMAND .. id, 'of', 'number', 'created'))
  local began = redis.call('HGET', HOME .. id, 'created')
  if of or began then
    for _, value in ipairs({ id, of and number or '', began or created }) do answer[#answer + 1] = value end
  end
end

for i = 1, #found, 2 do add(found[i]) end
if #found == 2 * STEP_MAX then
  local last = found[#found]
  for _, id in ipairs(redis.call('ZRANGE', STORED, last, last, 'BYSCORE', 'LIMIT', 0, 4096)) do add(id) end
  answer[1] = last
end
return answer
