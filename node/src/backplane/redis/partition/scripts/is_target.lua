-- uses: levels
-- Whether a terminal is a target of commands in this partition, also one that was rejected when its share was taken.
-- ARGV: terminal, at most STEP_MAX commands
-- Returns 1 or 0 for each.
local ord, answer = tonumber(redis.call('HGET', ORDINALS, ARGV[1]) or -1), {}
local function is_target(id)
  local kind, list, refused = unpack(redis.call('HMGET', COMMAND .. id, 'kind', 'list', 'refused'))
  if refused and string.find(refused, '["' .. ARGV[1] .. '",', 1, true) then return true end
  if kind == 'few' then return list and place_of(list, ord) ~= nil end
  return kind == 'many' and ord >= 0 and redis.call('GETBIT', COMMAND .. id .. ':targets', ord) == 1
end
for i = 2, math.min(#ARGV, STEP_MAX + 1) do answer[#answer + 1] = is_target(ARGV[i]) and 1 or 0 end
return answer
