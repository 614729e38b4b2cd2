-- uses: time
-- Lists operators' keys, and records when they were last used. At most 64 that have expired are removed first.
-- ARGV: the most that are listed; then of each key its id, the key as JSON, when it expires (ms), when it was used (ms) or ''
-- Returns how many of these keys are listed
for _, id in ipairs(redis.call('ZRANGEBYSCORE', OPERATOR_KEYS_DUE, '-inf', string.format('%.0f', now()), 'LIMIT', 0, 64)) do
  redis.call('HDEL', OPERATOR_KEYS, id)
  redis.call('HDEL', OPERATOR_KEYS_USED, id)
  redis.call('ZREM', OPERATOR_KEYS_DUE, id)
end
local listed = 0
for i = 2, #ARGV, 4 do
  local id, used = ARGV[i], ARGV[i + 3]
  local is_listed = redis.call('HEXISTS', OPERATOR_KEYS, id) == 1
  if not is_listed and redis.call('HLEN', OPERATOR_KEYS) < tonumber(ARGV[1]) then
    redis.call('HSET', OPERATOR_KEYS, id, ARGV[i + 1])
    redis.call('ZADD', OPERATOR_KEYS_DUE, ARGV[i + 2], id)
    is_listed = true
  end
  if is_listed then
    listed = listed + 1
    local before = tonumber(redis.call('HGET', OPERATOR_KEYS_USED, id) or 0)
    if used ~= '' and tonumber(used) > before then redis.call('HSET', OPERATOR_KEYS_USED, id, used) end
  end
end
return listed
