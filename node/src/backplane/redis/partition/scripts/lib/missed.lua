-- uses: backlog
-- What a terminal missed: commands of its backlog, and commands in `open` of which it is a target, that it has not confirmed.

-- Whether a command for many is to be sent again to a terminal. `state` is the lowest state that it is not sent again after. That
-- bit answers for nearly all, so it is asked first. Whoever reached a later state has that bit too, also if its report was lost: raising
-- a state raises those below it (raise.lua).
local function is_owed(id, ord, state)
  local command = COMMAND .. id
  return redis.call('GETBIT', command .. ':' .. state, ord) == 0 and redis.call('GETBIT', command .. ':targets', ord) == 1
end

local function is_live(id, time)
  local expires, cancelled = unpack(redis.call('HMGET', COMMAND .. id, 'expires', 'cancelled_at'))
  return expires and tonumber(expires) > time and not cancelled
end

local function range(key, from, upto, limit)
  return redis.call('ZRANGE', key, from, upto, 'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES')
end

-- Returns what is missed with a number above `from`, at most MISSED_MAX, each as `number id few|many`, and the number above which the next
-- call goes on, '' if there is no more up to `upto`; then whether anything in `open` was missed, and at how much of it this call has
-- looked. `open_from` is the first number of `open` that is looked at, none if `open` has nothing for the terminal. It looks at OPEN_LOOKS_MAX
-- entries of `open` at most, for each of which it asks for two bits.
local function missed_after(ord, from, open_from, upto, state, time)
  local backlog = range(BACKLOG .. ord, '(' .. from, upto, MISSED_MAX)
  local open = {}
  if open_from ~= '' then
    local first = tonumber(open_from) > tonumber(from) and open_from or '(' .. from
    open = range(OPEN, first, upto, OPEN_LOOKS_MAX)
  end
  -- Up to here both lists are complete.
  local horizon, beyond = tonumber(upto), ''
  local function cut(list, limit)
    if #list == 2 * limit and tonumber(list[#list]) < horizon then horizon, beyond = tonumber(list[#list]), list[#list] end
  end
  cut(backlog, MISSED_MAX)
  cut(open, OPEN_LOOKS_MAX)
  local missed, of_open, i, j = {}, false, 1, 1
  while backlog[i] or open[j] do
    local mine, many = tonumber(backlog[i + 1]) or math.huge, tonumber(open[j + 1]) or math.huge
    if math.min(mine, many) > horizon then break end
    if mine <= many then
      if is_live(backlog[i], time) then
        missed[#missed + 1] = backlog[i + 1] .. ' ' .. backlog[i] .. ' few'
      else
        unqueue(ord, backlog[i])
      end
      i = i + 2
    else
      -- An id has 36 characters, and behind it stands when the command expires.
      local id = string.sub(open[j], 1, 36)
      if is_owed(id, ord, state) and is_live(id, time) then
        missed[#missed + 1] = open[j + 1] .. ' ' .. id .. ' many'
        of_open = true
      end
      j = j + 2
    end
    if #missed == MISSED_MAX and (backlog[i] or open[j] or beyond ~= '') then
      return missed, string.match(missed[MISSED_MAX], '^%d+'), of_open, (j - 1) / 2
    end
  end
  return missed, beyond, of_open, (j - 1) / 2
end
