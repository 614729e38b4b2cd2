-- uses: events
-- Commands for many that have not expired. At most OPEN_MAX of them may be open: a session that joins looks at them.
local OPEN_MAX = 1000

-- Takes commands that have expired out of `open`, at most `limit`. They stay stored. A command whose home this is is done then.
local function close_expired(time, limit)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', ENDING, '-inf', time, 'LIMIT', 0, limit)) do
    local number = redis.call('HGET', COMMAND .. id, 'number')
    if number then redis.call('ZREMRANGEBYSCORE', OPEN, number, number) end
    redis.call('ZREM', ENDING, id)
    if redis.call('EXISTS', HOME .. id) == 1 and redis.call('HSETNX', HOME .. id, 'done', 1) == 1 then
      emit('command.done', '{"command":"' .. id .. '"}')
      redis.call('HINCRBY', COUNTED, 'done', 1)
    end
  end
end

local function is_open_full(time)
  if redis.call('ZCARD', OPEN) >= OPEN_MAX then close_expired(time, 64) end
  return redis.call('ZCARD', OPEN) >= OPEN_MAX
end
