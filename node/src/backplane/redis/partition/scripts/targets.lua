-- uses: levels
-- A page of the targets of a command in this partition, in the order of their ordinals. It reads at most 4 buckets of ordinals and
-- 256 KiB of replies, so it may be short. Behind them come those that were rejected when the share was taken, at most 512 of a share.
-- ARGV: command, the digits of levels or 'all', the place after which it begins or -1, the most targets
-- Returns {place after which the next page begins, '' if this is the last, ordinals, names, levels, replies, records of a command for few,
-- names and reasons of rejected ones by turns, then bucket, times, ...}; nothing if the command is not stored here. A place is an ordinal,
-- and of a rejected target REJECTED_FROM and its index.
local REJECTED_FROM = 4294967296
local command, wanted, after, limit = COMMAND .. ARGV[1], ARGV[2], tonumber(ARGV[3]), math.min(tonumber(ARGV[4]), STEP_MAX)
local kind, list, records, refused = unpack(redis.call('HMGET', command, 'kind', 'list', 'records', 'refused'))
if not kind then return {} end
local function is_wanted(level) return wanted == 'all' or string.find(wanted, level, 1, true) ~= nil end
local ords, levels, chosen, times, next_after = {}, {}, {}, {}, ''

local function add(ord, level)
  if #ords == limit then return false end
  ords[#ords + 1], levels[#levels + 1] = ord, string.char(level)
  return true
end

if after >= REJECTED_FROM then
  kind = 'rejected'
elseif kind == 'few' then
  list, records = list or '', records or ''
  for place = 0, #list / 4 - 1 do
    local ord, level = struct.unpack('>I4', list, place * 4 + 1), string.byte(records, place * FEW_RECORD + 1) or 0
    if ord > after and is_wanted(level) then
      if not add(ord, level) then
        next_after = ords[#ords]
        break
      end
      local record = string.sub(records, place * FEW_RECORD + 1, (place + 1) * FEW_RECORD)
      chosen[#chosen + 1] = #record == FEW_RECORD and record or EMPTY_RECORD
    end
  end
elseif wanted ~= '' then
  local set, page, part = command .. ':targets', TMP .. 'page', TMP .. 'part'
  local function reached(level) return level == 0 and command .. ':targets' or command .. ':' .. LEVELS[level] end
  -- Each level lies within the one below, so their difference is XOR.
  if wanted ~= 'all' then
    set = page
    for level = 0, #LEVELS do
      if is_wanted(level) and level < #LEVELS then redis.call('BITOP', 'XOR', part, reached(level), reached(level + 1)) end
      if is_wanted(level) then redis.call('BITOP', 'OR', page, page, level < #LEVELS and part or reached(level)) end
    end
  end
  local ord = redis.call('BITPOS', set, 1, after + 1, -1, 'BIT')
  local first = math.floor(ord / 4096)
  local parts = {}
  for level = 1, #LEVELS do parts[level] = redis.call('GETRANGE', command .. ':' .. LEVELS[level], first * 512, first * 512 + 2047) end
  local function level_of(ord)
    local at, mask = ord - first * 4096, bit.rshift(128, ord % 8)
    for level = #LEVELS, 1, -1 do
      local byte = string.byte(parts[level], math.floor(at / 8) + 1)
      if byte and bit.band(byte, mask) ~= 0 then return level end
    end
    return 0
  end
  while ord >= 0 do
    if ord >= (first + 4) * 4096 or not add(ord, level_of(ord)) then
      next_after = ords[#ords]
      break
    end
    ord = redis.call('BITPOS', set, 1, ord + 1, -1, 'BIT')
  end
  redis.call('DEL', page, part)
  for bucket = first, first + 3 do
    if #ords > 0 and bucket <= math.floor(ords[#ords] / 4096) then
      times[#times + 1] = bucket
      times[#times + 1] = redis.call('GET', command .. ':times:' .. bucket) or ''
    end
  end
end

local names, replies, bytes = {}, {}, 0
if #ords > 0 then
  for i, record in ipairs(redis.call('HMGET', TERMINALS, unpack(ords))) do
    names[i] = record and string.match(record, '\n{"terminal":"([^"]+)"') or ''
  end
  local any = redis.call('EXISTS', command .. ':replies') == 1
  for i, ord in ipairs(ords) do
    if bytes > 262144 then
      next_after = ords[i - 1]
      break
    end
    replies[i] = any and redis.call('HGET', command .. ':replies', ord) or 'null'
    bytes = bytes + #replies[i]
  end
end
local rejected = {}
if refused and next_after == '' and is_wanted(LEVEL.rejected) then
  for i, row in ipairs(cjson.decode(refused)) do
    local place = REJECTED_FROM + i - 1
    if place > after and #ords + #rejected / 2 == limit then
      next_after = string.format('%.0f', place - 1)
      break
    elseif place > after then
      rejected[#rejected + 1], rejected[#rejected + 2] = row[1], row[2]
    end
  end
end
local packed = {}
for i, ord in ipairs(ords) do packed[i] = struct.pack('>I4', ord) end
return { tostring(next_after), table.concat(packed), names, table.concat(levels), replies, table.concat(chosen), rejected, unpack(times) }
