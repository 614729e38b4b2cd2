-- Numbers a command and writes it into the log, from which whoever missed it on the channel takes it. The entry is written first:
-- it is the only write of an acceptance that Redis can refuse by what is stored (the log has a greater number, since `seq` was
-- lost), and nothing is changed then. Further names and values are written with `seq`, in one step.
--
-- At its bound the oldest entry makes room. If that was a command for many that could still be asked for, its number becomes the mark
-- `lost`, behind which a terminal is told of a gap. What has expired goes too, with about every eighth command: 16 entries then, so
-- that more go than come.
local function log_command(number, id, kind, expires, bound, time, ...)
  redis.call('XADD', LOG, number .. '-0', 'id', id, 'kind', kind, 'expires', expires)
  redis.call('MSET', SEQ, number, ...)
  local over = redis.call('XLEN', LOG) - bound
  if over <= 0 and time % 8 ~= 0 then return end
  local first = redis.call('XRANGE', LOG, '-', '+', 'COUNT', 1)
  if over <= 0 and tonumber(first[1][2][6]) > time then return end
  for _, entry in ipairs(over == 1 and first or redis.call('XRANGE', LOG, '-', '+', 'COUNT', 16)) do
    local fields = entry[2]
    local expired = tonumber(fields[6]) <= time
    if not expired and over <= 0 then break end
    over = over - redis.call('XDEL', LOG, entry[1])
    local old = string.match(entry[1], '^(%d+)')
    redis.call('HSET', MARKS, 'trimmed', old)
    if fields[4] == 'many' then
      redis.call('ZREMRANGEBYSCORE', OPEN, old, old)
      if not expired then redis.call('HSET', MARKS, 'lost', old) end
    end
  end
end
