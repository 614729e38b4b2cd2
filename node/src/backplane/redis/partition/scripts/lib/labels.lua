-- Sets of terminals by label. A set has ords, and becomes a bitmap beyond SET_MAX members.
local SET_MAX = 256

-- Sets a bit of each of these ords, in one call.
local function set_bits(key, ords)
  local fields = {}
  for _, ord in ipairs(ords) do
    local at = #fields
    fields[at + 1], fields[at + 2], fields[at + 3], fields[at + 4] = 'SET', 'u1', ord, 1
  end
  if #fields > 0 then redis.call('BITFIELD', key, unpack(fields)) end
end

local function add_member(key, ord)
  if redis.call('TYPE', key).ok == 'string' then
    redis.call('SETBIT', key, ord, 1)
  elseif redis.call('SADD', key, ord) == 1 and redis.call('SCARD', key) > SET_MAX then
    local members = redis.call('SMEMBERS', key)
    redis.call('DEL', key)
    set_bits(key, members)
  end
end

-- Returns whether nothing is left.
local function remove_member(key, ord)
  if redis.call('TYPE', key).ok ~= 'string' then
    redis.call('SREM', key, ord)
    return redis.call('EXISTS', key) == 0
  end
  redis.call('SETBIT', key, ord, 0)
  if redis.call('BITCOUNT', key) > 0 then return false end
  redis.call('DEL', key)
  return true
end

-- Whether a member is in the sorted set, or finds room there. Without room the mark is put into OVER.
local function has_place(key, member, max, mark)
  if redis.call('ZSCORE', key, member) then return true end
  if redis.call('ZCARD', key) >= max then
    redis.call('SADD', OVER, mark)
    return false
  end
  redis.call('ZADD', key, 0, member)
  return true
end

local function add_label(ord, key, value)
  if not has_place(LABEL_KEYS, key, LABEL_KEYS_MAX, '') then return end
  redis.call('SETBIT', HAS .. key, ord, 1)
  if has_place(VALUES .. key, value, VALUES_MAX, key) then add_member(LABEL .. key .. '=' .. value, ord) end
end

local function remove_label(ord, key, value)
  if not redis.call('ZSCORE', LABEL_KEYS, key) then return end
  redis.call('SETBIT', HAS .. key, ord, 0)
  if redis.call('ZSCORE', VALUES .. key, value) and remove_member(LABEL .. key .. '=' .. value, ord) then
    redis.call('ZREM', VALUES .. key, value)
  end
  if redis.call('EXISTS', VALUES .. key) == 0 and redis.call('BITCOUNT', HAS .. key) == 0 then
    redis.call('DEL', HAS .. key)
    redis.call('ZREM', LABEL_KEYS, key)
    redis.call('SREM', OVER, key)
  end
end

-- The labels in a terminal's record, overruled by those that operators gave it. `given` is JSON, or nothing.
local function all_labels(record, given)
  local labels = record and cjson.decode(record).labels or {}
  for key, value in pairs(given and cjson.decode(given) or {}) do labels[key] = value end
  return labels
end

-- Returns whether the labels differ.
local function relabel(ord, old, new)
  local differs = false
  for key, value in pairs(old) do
    if new[key] ~= value then
      remove_label(ord, key, value)
      differs = true
    end
  end
  for key, value in pairs(new) do
    if old[key] ~= value then
      add_label(ord, key, value)
      differs = true
    end
  end
  return differs
end
