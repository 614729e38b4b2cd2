-- The states of targets. Those that are stored have a level, in the order of their ranks; a target without a level is queued.
--
-- Of a command for many each level is a bitmap of the targets that reached its state or one beyond it. So one bit tells whether a
-- target is to get the command again, and the number of targets in a state is the difference of two BITCOUNTs. Of a command for few a
-- target is a record of 17 bytes at its place: its level, and when it was sent, acknowledged, running and ended (1 and the
-- milliseconds since the time in the command's id, 4 bytes each; 0 is not yet).
local LEVELS = { 'sent', 'acked', 'running', 'expired', 'succeeded', 'failed', 'rejected' }
local LEVEL = { sent = 1, acked = 2, running = 3, expired = 4, succeeded = 5, failed = 6, rejected = 7 }
-- The level from which a target is settled, by what the command asks to be confirmed.
local SETTLED_FROM = { none = 1, ack = 2, result = 4 }
local FEW_RECORD = 17
local EMPTY_RECORD = string.rep('\0', FEW_RECORD)

-- The number of targets of a command for few at each level, from 0.
local function few_counts(records, of)
  local counts = { [0] = of }
  for level = 1, #LEVELS do counts[level] = 0 end
  for at = 1, #records, FEW_RECORD do
    local level = string.byte(records, at)
    if level > 0 then
      counts[level] = counts[level] + 1
      counts[0] = counts[0] - 1
    end
  end
  return counts
end

-- The same of a command for many.
local function many_counts(command, of)
  local counts, above = {}, 0
  for level = #LEVELS, 1, -1 do
    local reached = redis.call('BITCOUNT', command .. ':' .. LEVELS[level])
    counts[level] = reached - above
    above = reached
  end
  counts[0] = of - above
  return counts
end

-- The place of an ordinal in a list of ordinals, from 0, or nothing.
local function place_of(list, ord)
  local low, high = 0, #list / 4 - 1
  while low <= high do
    local middle = math.floor((low + high) / 2)
    local found = struct.unpack('>I4', list, middle * 4 + 1)
    if found == ord then return middle end
    if found < ord then low = middle + 1 else high = middle - 1 end
  end
end
