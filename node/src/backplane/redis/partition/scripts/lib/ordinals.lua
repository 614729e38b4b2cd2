-- uses: events
-- Gives a terminal that is not known an ord: a freed one if no command is left that was accepted before it was freed, else a new one.
-- Returns nothing if more than four times as many are freed as are in use, which is refused.
local function new_ord(terminal, number, time)
  local ord, freed = nil, redis.call('LINDEX', FREED, 0)
  if freed then
    local old, until_time = string.match(freed, '^(%d+) (%d+)$')
    -- Every command that was stored when the ord was freed may be forgotten by then, and goes before those that may be later.
    local first = redis.call('ZRANGE', STORED, 0, 0, 'WITHSCORES')
    if tonumber(until_time) < time and (#first == 0 or tonumber(first[2]) > tonumber(until_time)) then
      redis.call('LPOP', FREED)
      ord = old
    elseif redis.call('LLEN', FREED) > math.max(FREE_MIN, 4 * redis.call('ZCARD', NAMES)) then
      -- Said once a minute, and not by each that is refused.
      if redis.call('SET', ORDINALS_SAID, 1, 'NX', 'PX', 60000) then emit('store.ordinals', '{"terminal":"' .. terminal .. '"}') end
      return nil
    end
  end
  ord = ord or string.format('%.0f', redis.call('INCR', NEXT_ORD) - 1)
  redis.call('HSET', ORDINALS, terminal, ord)
  redis.call('ZADD', NAMES, 0, terminal)
  redis.call('SETBIT', KNOWN, ord, 1)
  -- Nothing that was accepted before is for it.
  redis.call('SETRANGE', SINCE, ord * 8, struct.pack('>I8', tonumber(number)))
  return ord
end
