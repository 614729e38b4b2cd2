-- uses: levels
-- The bytes of a bucket's times: beyond them times are not stored. 16 bytes for each of its 4,096 ordinals.
local BUCKET_BYTES = 65536

-- Raises targets of a command for many: `bits` is a part of a bitmap that begins at the byte `offset`. What is no target is cut off.
-- Returns how many rose, and whether there was a target among them at all.
local function raise_many(command, level, offset, bits)
  local raised, key = TMP .. 'raised', command .. ':' .. LEVELS[level]
  redis.call('SETRANGE', raised, offset, bits)
  redis.call('BITOP', 'AND', raised, raised, command .. ':targets')
  local before = redis.call('BITCOUNT', key)
  redis.call('BITOP', 'OR', key, key, raised)
  local rose = redis.call('BITCOUNT', key) - before
  if rose > 0 then
    for lower = 1, level - 1 do
      local key = command .. ':' .. LEVELS[lower]
      redis.call('BITOP', 'OR', key, key, raised)
    end
  end
  local any = rose > 0 or redis.call('BITPOS', raised, 1) >= 0
  redis.call('DEL', raised)
  return rose, any
end

-- Appends entries to the times of buckets: `entries` has from index `from` the number of a bucket and then the entry, and so on. The
-- first entry that has an ordinal and a level counts. So a report that comes twice costs its bytes twice, and one that comes after that
-- of a later state still tells when the earlier state was reached.
local function add_times(command, entries, from)
  for i = from, #entries, 2 do
    local key, entry = command .. ':times:' .. entries[i], entries[i + 1]
    local length = redis.call('APPEND', key, entry)
    if length > BUCKET_BYTES then redis.call('SET', key, redis.call('GETRANGE', key, 0, length - #entry - 1)) end
  end
end
