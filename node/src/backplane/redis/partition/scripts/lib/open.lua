-- uses: done
-- Commands for many that have not expired. At most OPEN_MAX of them may be open: a session that joins looks at them.
local OPEN_MAX = 1000

-- Ends commands that have expired, at most `limit`: those for many leave `open`, and those that are not done are done now. They stay stored.
local function close_expired(time, limit)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', ENDING, '-inf', time, 'LIMIT', 0, limit)) do
    local command = COMMAND .. id
    local kind, number, share, confirm, cancelled, of, records =
      unpack(redis.call('HMGET', command, 'kind', 'number', 'share', 'confirm', 'cancelled_at', 'of', 'records'))
    if kind == 'many' then redis.call('ZREMRANGEBYSCORE', OPEN, number, number) end
    redis.call('ZREM', ENDING, id)
    if redis.call('EXISTS', HOME .. id) == 1 then
      end_at_home(id, time)
    elseif kind == 'few' and not share and redis.call('HSETNX', command, 'done', 1) == 1 then
      emit_done(id, confirm, cancelled, true, few_counts(records or '', tonumber(of)))
    end
  end
end

local function is_open_full(time)
  if redis.call('ZCARD', OPEN) >= OPEN_MAX then close_expired(time, 64) end
  return redis.call('ZCARD', OPEN) >= OPEN_MAX
end
