-- uses: time, rollouts
-- The rollouts for which something is to be done, for the node that carries them on. At most 4 whose time has come are forgotten.
-- ARGV: node, how long it carries them on unless it asks again (ms)
-- Returns {time, 1, then of each open rollout its record and revision}, or {time, 0} if another node carries them on
local time = now()
local answer = { string.format('%.0f', time), 1 }
for _, id in ipairs(redis.call('ZRANGEBYSCORE', ROLLOUTS_DUE, '-inf', answer[1], 'LIMIT', 0, 4)) do forget_rollout(id) end
local open = redis.call('ZRANGE', ROLLOUTS_OPEN, 0, -1)
if #open == 0 then return answer end
local carrier = redis.call('GET', ROLLOUTS_CARRIER)
if carrier and carrier ~= ARGV[1] then return { answer[1], 0 } end
redis.call('SET', ROLLOUTS_CARRIER, ARGV[1], 'PX', ARGV[2])
for _, id in ipairs(open) do
  local stored = redis.call('HMGET', ROLLOUT .. id, 'json', 'revision')
  if stored[1] then
    answer[#answer + 1] = stored[1]
    answer[#answer + 1] = stored[2]
  end
end
return answer
