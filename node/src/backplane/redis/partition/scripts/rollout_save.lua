-- uses: rollouts
-- Replaces the record of a rollout.
-- ARGV: id, revision that is replaced, record (JSON), event (JSON) or '', when it may be forgotten (ms) if it is settled, or ''
-- Returns 1, or 0 if the rollout has another revision or is not stored
local id, key, forget_at = ARGV[1], ROLLOUT .. ARGV[1], ARGV[5]
if redis.call('HGET', key, 'revision') ~= ARGV[2] then return 0 end
save_rollout(id, ARGV[2], ARGV[3], ARGV[4])
if forget_at ~= '' then
  forget_targets(key)
  redis.call('ZREM', ROLLOUTS_OPEN, id)
  redis.call('ZADD', ROLLOUTS_DUE, forget_at, id)
end
return 1
