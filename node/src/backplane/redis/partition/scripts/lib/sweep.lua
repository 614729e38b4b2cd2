-- uses: backlog, budget, levels
-- What is forgotten when its time has come: commands (`stored` says when) and idempotency keys. Acceptances do a part of it, so that
-- what is stored does not grow while the beat is late; the beat does the rest.

-- The bitmaps and the times of a command for many. A bucket of times has 4,096 ordinals.
local function forget_bitmaps(command)
  local keys = { command .. ':targets' }
  for _, level in ipairs(LEVELS) do keys[#keys + 1] = command .. ':' .. level end
  for bucket = 0, math.floor(redis.call('STRLEN', command .. ':targets') / 512) do keys[#keys + 1] = command .. ':times:' .. bucket end
  redis.call('UNLINK', unpack(keys))
end

-- Forgets a command: it is taken out of the backlogs or of `open`, if it is still there, and its bytes are given back. Returns the
-- number of its named targets.
local function forget_command(id)
  local command = COMMAND .. id
  local kind, bytes, replied, list, number, share = unpack(redis.call('HMGET', command, 'kind', 'bytes', 'replied', 'list', 'number', 'share'))
  for at = 1, #(list or ''), 4 do unqueue(struct.unpack('>I4', list, at), id) end
  if kind == 'many' then
    forget_bitmaps(command)
    redis.call('ZREMRANGEBYSCORE', OPEN, number, number)
  end
  local home = redis.call('HGET', HOME .. id, 'bytes')
  redis.call('UNLINK', command, command .. ':replies', HOME .. id)
  for _, sorted in ipairs({ HOMES, STORED, ENDING }) do redis.call('ZREM', sorted, id) end
  if share then redis.call('ZREM', SETTLED_HERE, id) end
  if home then
    redis.call('ZREM', ACCEPTING, id)
    redis.call('ZREM', TELLING, id)
  end
  -- From 0, since Redis takes no `-0`.
  redis.call('INCRBY', USED, 0 - (bytes or 0) - (home or 0) - (replied or 0))
  return #(list or '') / 4
end

local function forget_key(key)
  redis.call('DEL', KEY .. key)
  redis.call('ZREM', KEYS_DUE, key)
  redis.call('INCRBY', USED, -KEY_BYTES)
end

-- Forgets idempotency keys whose time has come, at most `limit`.
local function sweep_keys(time, limit)
  local due = redis.call('ZRANGEBYSCORE', KEYS_DUE, '-inf', time, 'LIMIT', 0, limit)
  for _, key in ipairs(due) do forget_key(key) end
  return #due
end

-- Forgets at most `limit` commands, and fewer if they have more than STEP_MAX named targets together. Returns how many.
local function sweep(time, limit)
  local targets, count = 0, 0
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', STORED, '-inf', time, 'LIMIT', 0, limit)) do
    targets, count = targets + forget_command(id), count + 1
    if targets > STEP_MAX then break end
  end
  return count
end

-- Whether this many bytes find room below the bound. For want of room, commands that have expired and are only stored to be looked up
-- are forgotten early, the oldest first, 64 at most. Returns also the bytes that are used then.
local function make_room(bytes, bound, time, keep)
  local used = used_bytes()
  if used + bytes <= bound then return true, used end
  local targets = 0
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', STORED, '-inf', time + keep, 'LIMIT', 0, 64)) do
    targets = targets + forget_command(id)
    used = used_bytes()
    if used + bytes <= bound then return true, used end
    if targets > STEP_MAX then break end
  end
  return false, used
end
