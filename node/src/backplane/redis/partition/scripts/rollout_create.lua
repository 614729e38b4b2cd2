-- uses: time, budget, sweep, rollouts
-- Stores a rollout. The oldest one that is settled makes room for it if as many are stored as may be.
-- ARGV: id, record (JSON), event (JSON), idempotency key or '', hash of the body, how long the key is stored (ms), the most that are open, the
--       most that are stored, bytes that the record may come to, bound of all bytes, how long a command is stored after it expired (ms)
-- Returns {'ok'} {'same', id} {'conflict', id} {'rollouts', open} {'no_room', bytes}
local id, key = ARGV[1], ARGV[4]
local used_before = key ~= '' and redis.call('GET', ROLLOUT_KEY .. key)
if used_before then
  local first, body = string.match(used_before, '^(%S+) (%S+)')
  return { body == ARGV[5] and 'same' or 'conflict', first }
end
local open = redis.call('ZCARD', ROLLOUTS_OPEN)
if open >= tonumber(ARGV[7]) then return { 'rollouts', open } end
if redis.call('ZCARD', ROLLOUTS) >= tonumber(ARGV[8]) then
  for _, oldest in ipairs(redis.call('ZRANGE', ROLLOUTS_DUE, 0, 0)) do forget_rollout(oldest) end
end
local has_room, used = make_room(tonumber(ARGV[9]), tonumber(ARGV[10]), now(), tonumber(ARGV[11]))
if not has_room then return { 'no_room', used } end
redis.call('INCRBY', USED, ARGV[9])
redis.call('HSET', ROLLOUT .. id, 'bytes', ARGV[9])
redis.call('ZADD', ROLLOUTS, 0, id)
redis.call('ZADD', ROLLOUTS_OPEN, 0, id)
save_rollout(id, 0, ARGV[2], ARGV[3])
if key ~= '' then redis.call('SET', ROLLOUT_KEY .. key, id .. ' ' .. ARGV[5], 'PX', ARGV[6]) end
return { 'ok' }
