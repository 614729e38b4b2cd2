-- uses: time, rows, selection, bitmaps
-- Tells a page of terminals in the order of their ids. It looks at STEP_MAX ids at most, so with a selection a page may have fewer than
-- it could. A selection of no more than STEP_MAX terminals is looked at whole.
-- ARGV: selection or '', prefix of the ids, id behind which the page begins or '', limit (at most STEP_MAX - 1)
-- Returns {'ok', next, then five values a terminal as add_rows has them}, with `next` the id behind which to go on, '' at the end; or
-- {'left_out', key} or {'broad', key}, as select_set.
local selection, prefix, after, limit, time = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), now()

local function between()
  local from, to = prefix == '' and '-' or '[' .. prefix, prefix == '' and '+' or '[' .. prefix .. '\127'
  if after ~= '' and after >= prefix then from = '(' .. after end
  return from, to
end

local function ids(count)
  local from, to = between()
  return redis.call('ZRANGE', NAMES, from, to, 'BYLEX', 'LIMIT', 0, count)
end

local function ords_of(names)
  if #names == 0 then return {} end
  return redis.call('HMGET', ORDINALS, unpack(names))
end

-- All that are selected, in order, if they are few.
local function few(set)
  local ords, found = {}, {}
  each_bit(redis.call('GET', set) or '', function(ord) ords[#ords + 1] = ord end)
  if #ords == 0 then return {}, {} end
  local ord_of = {}
  for i, entry in ipairs(redis.call('HMGET', TERMINALS, unpack(ords))) do
    local name = entry and name_in(entry)
    if name and name > after and string.sub(name, 1, #prefix) == prefix then
      found[#found + 1], ord_of[name] = name, ords[i]
    end
  end
  table.sort(found)
  local sorted = {}
  for i, name in ipairs(found) do sorted[i] = ord_of[name] end
  return found, sorted
end

-- Those of the next ids that are selected; and the last id that was looked at if there may be more behind it.
local function some(set)
  local names, bytes = ids(STEP_MAX), redis.call('GET', set) or ''
  local found, sorted = {}, {}
  for i, ord in ipairs(ords_of(names)) do
    local byte = string.byte(bytes, math.floor(ord / 8) + 1) or 0
    if bit.band(byte, bit.rshift(128, ord % 8)) ~= 0 then found[#found + 1], sorted[#sorted + 1] = names[i], ord end
  end
  return found, sorted, #names == STEP_MAX and names[STEP_MAX] or ''
end

local names, ords, looked = nil, nil, ''
if selection == '' then
  names = ids(limit + 1)
  ords = ords_of(names)
else
  local set, refusal = select_set(selection, time)
  if not set then return refusal end
  if redis.call('BITCOUNT', set) <= STEP_MAX then names, ords = few(set) else names, ords, looked = some(set) end
  drop_tmp()
end
local answer = { 'ok', '' }
local shown = { unpack(ords, 1, math.min(limit, #ords)) }
local told = add_rows(answer, shown, time)
if told < #ords then answer[2] = names[told] else answer[2] = looked end
return answer
