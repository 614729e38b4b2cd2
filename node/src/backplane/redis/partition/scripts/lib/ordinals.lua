-- uses: events
-- The freed ord that can be given again, if there is one: of commands that were accepted before it was freed none is left. The second
-- result is true if there is none, and so many are freed that no new one is given either.
local function freed_ord(time)
  local freed = redis.call('LINDEX', FREED, 0)
  if not freed then return nil, false end
  local ord, until_time = string.match(freed, '^(%d+) (%d+)$')
  -- Every command that was stored when the ord was freed may be forgotten by then, and goes before those that may be later.
  local first = redis.call('ZRANGE', STORED, 0, 0, 'WITHSCORES')
  if tonumber(until_time) < time and (#first == 0 or tonumber(first[2]) > tonumber(until_time)) then return ord, false end
  return nil, redis.call('LLEN', FREED) > math.max(FREE_MIN, FREE_SHARE * redis.call('ZCARD', NAMES))
end

-- Gives a terminal that is not known an ord: a freed one, else a new one. Returns nothing if so many are freed that this is refused.
local function new_ord(terminal, number, time)
  local ord, is_refused = freed_ord(time)
  if is_refused then
    -- Said from time to time, and not by each that is refused.
    if redis.call('SET', ORDINALS_SAID, 1, 'NX', 'PX', REFUSALS_TOLD_MS) then
      emit('store.ordinals', '{"terminal":"' .. terminal .. '"}')
    end
    return nil
  end
  if ord then redis.call('LPOP', FREED) end
  ord = ord or string.format('%.0f', redis.call('INCR', NEXT_ORD) - 1)
  redis.call('HSET', ORDINALS, terminal, ord)
  redis.call('ZADD', NAMES, 0, terminal)
  redis.call('SETBIT', KNOWN, ord, 1)
  -- Nothing that was accepted before is for it.
  redis.call('SETRANGE', LEFT, ord * 12, struct.pack('>I8', tonumber(number)))
  return ord
end
