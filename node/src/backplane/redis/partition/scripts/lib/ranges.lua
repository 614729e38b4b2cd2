-- uses: tmp, labels
-- Sets of terminals by a range: of a label's values, or of ids. `budget.left` is how many entries may still be looked at, where a value or an
-- id counts as RANGE_COST of them and a member of a small set as one. A range beyond that is refused: {'broad', key}.
local RANGE_COST = 4
local VERSION_BYTES_MAX = 64

local function spend(budget, entries)
  budget.left = budget.left - entries
  return budget.left >= 0
end

-- The length of a number and its digits, without zeros before them.
local function sortable(digits, more)
  return string.format('%02d', #digits + more) .. digits
end

-- A text of digits that sorts as a version does, or nothing if the text is none. `LabelVersion` (protocol) makes the same.
local function version_key(text)
  local numbers, pre = string.match(text, '^([%d.]+)(.*)$')
  if not numbers or #text > VERSION_BYTES_MAX or string.find('.' .. numbers .. '.', '..', 1, true) then return nil end
  local key, zeros = '', ''
  for number in string.gmatch(numbers, '%d+') do
    local digits = string.gsub(number, '^0+', '')
    if digits == '' then
      zeros = zeros .. '02'
    else
      key, zeros = key .. zeros .. sortable(digits, 2), ''
    end
  end
  if pre == '' then return key .. '01' end
  if not string.find(pre, '^%-[%w.-]+$') or string.find('.' .. string.sub(pre, 2) .. '.', '..', 1, true) then return nil end
  key = key .. '00'
  for part in string.gmatch(string.sub(pre, 2), '[^.]+') do
    if string.find(part, '^%d+$') then
      local digits = string.gsub(part, '^0+', '')
      key = key .. '1' .. sortable(digits, 0)
    else
      local bytes = string.gsub(part, '.', function(char) return string.format('%03d', string.byte(char)) end)
      key = key .. '2' .. bytes .. '000'
    end
  end
  return key .. '0'
end

local COMPARES = {
  below = function(one, other) return one < other end,
  atmost = function(one, other) return one <= other end,
  above = function(one, other) return one > other end,
  atleast = function(one, other) return one >= other end,
}

-- Those of a key's values that are in a range. There are VALUES_MAX at most.
local function values_in(name, key, wanted)
  if name == 'starts' then
    return redis.call('ZRANGE', VALUES .. key, '[' .. wanted, '(' .. wanted .. '\255', 'BYLEX')
  end
  local found = {}
  for _, value in ipairs(redis.call('ZRANGE', VALUES .. key, 0, -1)) do
    local version = version_key(value)
    if version and COMPARES[name](version, wanted) then found[#found + 1] = value end
  end
  return found
end

local function of_range(name, key, wanted, budget)
  if not spend(budget, RANGE_COST * redis.call('ZCARD', VALUES .. key)) then return nil, { 'broad', key } end
  local into, bitmaps = new_tmp(), {}
  for _, value in ipairs(values_in(name, key, wanted)) do
    local set = LABEL .. key .. '=' .. value
    if redis.call('TYPE', set).ok == 'set' then
      local ords = redis.call('SMEMBERS', set)
      if not spend(budget, #ords) then return nil, { 'broad', key } end
      set_bits(into, ords)
    else
      bitmaps[#bitmaps + 1] = set
    end
  end
  if #bitmaps > 0 then redis.call('BITOP', 'OR', into, into, unpack(bitmaps)) end
  return into
end

local function of_id_prefix(prefix, budget)
  local from, to, into, names = '[' .. prefix, '(' .. prefix .. '\127', new_tmp(), nil
  if not spend(budget, RANGE_COST * redis.call('ZLEXCOUNT', NAMES, from, to)) then return nil, { 'broad', '@id' } end
  repeat
    names = redis.call('ZRANGE', NAMES, from, to, 'BYLEX', 'LIMIT', 0, STEP_MAX)
    if #names > 0 then
      set_bits(into, redis.call('HMGET', ORDINALS, unpack(names)))
      from = '(' .. names[#names]
    end
  until #names < STEP_MAX
  return into
end
