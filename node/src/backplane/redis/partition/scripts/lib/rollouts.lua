-- uses: budget, events
-- Rollouts. A rollout's bytes are those of its record as it may become, taken when it is stored, and of each target of its list.
local ROLLOUT_TARGET_BYTES = 150

local function forget_targets(key)
  redis.call('UNLINK', key .. ':targets')
  redis.call('INCRBY', USED, 0 - (redis.call('HGET', key, 'target_bytes') or 0))
  redis.call('HDEL', key, 'target_bytes')
end

local function forget_rollout(id)
  local key = ROLLOUT .. id
  forget_targets(key)
  redis.call('INCRBY', USED, 0 - (redis.call('HGET', key, 'bytes') or 0))
  redis.call('UNLINK', key)
  for _, sorted in ipairs({ ROLLOUTS, ROLLOUTS_OPEN, ROLLOUTS_DUE }) do redis.call('ZREM', sorted, id) end
end

-- Replaces the record of a rollout, if it has this revision. `event` is what those who follow events are told, or ''.
local function save_rollout(id, revision, record, event)
  redis.call('HSET', ROLLOUT .. id, 'json', record, 'revision', string.format('%.0f', revision + 1))
  if event ~= '' then emit('rollout.changed', event) end
end
