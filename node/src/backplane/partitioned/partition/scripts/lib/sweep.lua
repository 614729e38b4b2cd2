-- uses: backlog, budget
-- What is forgotten when its time has come: commands (`stored` says when) and idempotency keys. Acceptances do a part of it, so that
-- what is stored does not grow while the beat is late; the beat does the rest.

-- Forgets a command: it is taken out of the backlogs that it is still in, and its bytes are given back. Returns the number of its named
-- targets.
local function forget_command(id)
  local command = COMMAND .. id
  local bytes, list = unpack(redis.call('HMGET', command, 'bytes', 'list'))
  for at = 1, #(list or ''), 4 do unqueue(struct.unpack('>I4', list, at), id) end
  redis.call('DEL', command)
  redis.call('ZREM', HOMES, id)
  redis.call('ZREM', STORED, id)
  redis.call('HINCRBY', USED, 'commands', -(bytes or 0))
  return #(list or '') / 4
end

-- Forgets idempotency keys whose time has come, at most `limit`.
local function sweep_keys(time, limit)
  local due = redis.call('ZRANGEBYSCORE', KEYS_DUE, '-inf', time, 'LIMIT', 0, limit)
  for _, key in ipairs(due) do
    redis.call('DEL', KEY .. key)
    redis.call('ZREM', KEYS_DUE, key)
    redis.call('HINCRBY', USED, 'keys', -KEY_BYTES)
  end
  return #due
end

-- Forgets at most `limit` commands, and fewer if they have more than STEP_MAX named targets together. Returns how many.
local function sweep(time, limit)
  local targets = 0
  for count, id in ipairs(redis.call('ZRANGEBYSCORE', STORED, '-inf', time, 'LIMIT', 0, limit)) do
    targets = targets + forget_command(id)
    if targets > STEP_MAX then return count end
  end
  return limit
end

-- Whether this many bytes find room below the bound. For want of room, commands that have expired and are only stored to be looked up
-- are forgotten early, the oldest first, 64 at most. Returns also the bytes of commands, of backlogs, and all that are used.
local function make_room(bytes, bound, time, keep)
  local commands, backlogs, used = used_bytes()
  if used + bytes <= bound then return true, commands, backlogs, used end
  local targets = 0
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', STORED, '-inf', time + keep, 'LIMIT', 0, 64)) do
    targets = targets + forget_command(id)
    commands, backlogs, used = used_bytes()
    if used + bytes <= bound then return true, commands, backlogs, used end
    if targets > STEP_MAX then break end
  end
  return false, commands, backlogs, used
end
