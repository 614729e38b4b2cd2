-- uses: time
-- Idempotency keys that are not forgotten yet, in the order in which they will be: at most STEP_MAX a call, and then those that have the same
-- time as the last of them, 4,096 at most.
-- ARGV: the time behind which the page begins (ms), or ''
-- Returns {the time behind which to go on or '', then three values a key: hash, what is stored under it, when it is forgotten}
local from = '(' .. (ARGV[1] == '' and string.format('%.0f', now()) or ARGV[1])
local found = redis.call('ZRANGE', KEYS_DUE, from, '+inf', 'BYSCORE', 'LIMIT', 0, STEP_MAX, 'WITHSCORES')
local answer, seen = { '' }, {}

local function add(key, due)
  local value = not seen[key] and redis.call('GET', KEY .. key)
  seen[key] = true
  if value then
    for _, part in ipairs({ key, value, due }) do answer[#answer + 1] = part end
  end
end

for i = 1, #found, 2 do add(found[i], found[i + 1]) end
if #found == 2 * STEP_MAX then
  local last = found[#found]
  for _, key in ipairs(redis.call('ZRANGE', KEYS_DUE, last, last, 'BYSCORE', 'LIMIT', 0, 4096)) do add(key, last) end
  answer[1] = last
end
return answer
