-- uses: time
-- A page of operators' keys, those first that expire first.
-- ARGV: how many to pass over, how many to look at
-- Returns the number that was looked at, and of each that has not expired its JSON and when it was last used (ms) or ''
local ids = redis.call('ZRANGE', OPERATOR_KEYS_DUE, ARGV[1], ARGV[1] + ARGV[2] - 1, 'WITHSCORES')
local found, time = {}, now()
for i = 1, #ids, 2 do
  local json = redis.call('HGET', OPERATOR_KEYS, ids[i])
  if json and tonumber(ids[i + 1]) > time then
    found[#found + 1] = json
    found[#found + 1] = redis.call('HGET', OPERATOR_KEYS_USED, ids[i]) or ''
  end
end
return { #ids / 2, found }
