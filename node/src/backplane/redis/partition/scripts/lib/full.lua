-- uses: backlog
-- The terminals among the targets for which as many commands wait as may. What has expired or was cancelled does not count: of full
-- backlogs the oldest entries are looked at, STEP_MAX at most for all of them.
local function full_backlogs(targets, bound, time)
  local full, looks = {}, STEP_MAX
  for _, target in ipairs(targets) do
    local key = BACKLOG .. target.ord
    local count = redis.call('ZCARD', key)
    if count >= bound and looks > 0 then
      local oldest = redis.call('ZRANGE', key, 0, math.min(looks, 64) - 1)
      looks = looks - #oldest
      for _, id in ipairs(oldest) do
        local expires, cancelled = unpack(redis.call('HMGET', COMMAND .. id, 'expires', 'cancelled_at'))
        if not expires or cancelled or tonumber(expires) <= time then count = count - unqueue(target.ord, id) end
      end
    end
    if count >= bound then full[#full + 1] = target.id end
  end
  return full
end
