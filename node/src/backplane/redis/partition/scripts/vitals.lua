-- Stores how terminals fare. One that was forgotten meanwhile stays so.
-- ARGV: for each terminal its id, when it was last heard in milliseconds or '', the last ping's way in milliseconds, its health (JSON) or
--       '', its condition or ''
local names = {}
for i = 1, #ARGV, 5 do names[#names + 1] = ARGV[i] end
for at, ord in ipairs(redis.call('HMGET', ORDINALS, unpack(names))) do
  if ord then
    local i = at * 5 - 4
    local seen, rtt, health, condition = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
    if seen ~= '' then
      redis.call('SETRANGE', SEEN, ord * 8, struct.pack('>I6I2', tonumber(seen), math.min(tonumber(rtt), 65535)))
    end
    if health ~= '' then
      redis.call('HSET', HEALTH, ord, health)
      local degraded, failing = condition == 'degraded' and 1 or 0, condition == 'failing' and 1 or 0
      local was_degraded = redis.call('SETBIT', DEGRADED, ord, degraded)
      local was_failing = redis.call('SETBIT', FAILING, ord, failing)
      if was_degraded ~= degraded or was_failing ~= failing then
        -- with: time, record_change
        record_change(ord, CHANGE_CONDITION, string.sub(condition, 1, 1), now())
      end
    end
  end
end
