-- uses: tmp, presence, labels
-- Evaluates an expression over sets of terminals. It comes in postfix form, a set or an operator a line: selection.rs writes it.
--   select_set(text, time)  returns the key of a bitmap of terminals that are known, which is not to be changed; or nothing and then the
--                           answer of a script that refuses: {'left_out', key} if terminals can't be selected by this key of labels, ''
--                           if that is since there are too many keys; {'broad', key} if a call would look at too much of it
-- What of it is temporary goes with drop_tmp().

-- How many entries of large sets one evaluation looks at (ranges.lua).
local RANGE_MAX = 32768

local function known_only(key)
  local into = new_tmp()
  redis.call('BITOP', 'AND', into, key, KNOWN)
  return into
end

local function except(key)
  local into = known_only(key)
  redis.call('BITOP', 'XOR', into, into, KNOWN)
  return into
end

local function combine(operation, one, other)
  local into = new_tmp()
  redis.call('BITOP', operation, into, one, other)
  return into
end

-- Whether a key of labels is kept at all, or was left out since there are too many.
local function is_left_out(key)
  return redis.call('SISMEMBER', OVER, '') == 1 and not redis.call('ZSCORE', LABEL_KEYS, key)
end

-- Why terminals can't be selected by the values of a key, or nothing.
local function unlisted(key)
  if is_left_out(key) then return { 'left_out', '' } end
  if redis.call('SISMEMBER', OVER, key) == 1 then return { 'left_out', key } end
end

local function of_label(key, value)
  local refusal = unlisted(key)
  if refusal then return nil, refusal end
  local set = LABEL .. key .. '=' .. value
  if redis.call('TYPE', set).ok ~= 'set' then return set end
  local into = new_tmp()
  set_bits(into, redis.call('SMEMBERS', set))
  return into
end

-- A selection has at most STEP_MAX ids in all, and so has a list.
local function of_ids(list)
  local names, ords, into = {}, {}, new_tmp()
  for name in string.gmatch(list, '[^,]+') do names[#names + 1] = name end
  if #names == 0 then return into end
  for _, ord in ipairs(redis.call('HMGET', ORDINALS, unpack(names))) do
    if ord then ords[#ords + 1] = ord end
  end
  set_bits(into, ords)
  return into
end

local function select_set(text, time)
  -- Most commands are for all, and no caller changes the set.
  if text == 'all\n' then return KNOWN end
  local stack, online, budget = {}, nil, { left = RANGE_MAX }
  local function present()
    online = online or online_set(time)
    return online
  end
  -- Terminals with a range of a label's values.
  local function of_values(argument, name)
    local key, wanted = string.match(argument, '^([^=]*)=(.*)$')
    local refusal = unlisted(key)
    if refusal then return nil, refusal end
    -- with: ranges
    return of_range(name, key, wanted, budget)
  end
  local terms = {
    all = function() return KNOWN end,
    connected = present,
    online = function() return combine('XOR', present(), stale_set(time, present())) end,
    offline = function() return except(present()) end,
    stale = function() return stale_set(time, present()) end,
    ok = function() return except(combine('OR', DEGRADED, FAILING)) end,
    degraded = function() return DEGRADED end,
    failing = function() return FAILING end,
    node = function(name) return combine('AND', HELD .. name, present()) end,
    label = function(label) return of_label(string.match(label, '^([^=]*)=(.*)$')) end,
    has = function(key)
      if is_left_out(key) then return nil, { 'left_out', '' } end
      return HAS .. key
    end,
    starts = of_values,
    below = of_values,
    atmost = of_values,
    above = of_values,
    atleast = of_values,
    plain = function() return PLAIN end,
    begins = function(prefix)
      -- with: ranges
      return of_id_prefix(prefix, budget)
    end,
    ids = of_ids,
    ['not'] = function() return except(table.remove(stack)) end,
    ['and'] = function() return combine('AND', table.remove(stack), table.remove(stack)) end,
    ['or'] = function() return combine('OR', table.remove(stack), table.remove(stack)) end,
  }
  for line in string.gmatch(text, '[^\n]+') do
    local name, argument = string.match(line, '^(%l+):?(.*)$')
    local set, refusal = terms[name](argument, name)
    if not set then
      drop_tmp()
      return nil, refusal
    end
    stack[#stack + 1] = set
  end
  return known_only(stack[1])
end
