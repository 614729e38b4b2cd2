-- uses: levels
-- The bytes of a bucket's times: beyond them times are not stored. 16 bytes for each of its 4,096 ordinals.
local BUCKET_BYTES = 65536

-- Appends entries to the times of buckets: ARGV has from index `from` to `upto` the number of a bucket and then the entry, and so on. The
-- first entry that has an ordinal and a level counts. So a report that comes twice costs its bytes twice, and one that comes after that
-- of a later state still tells when the earlier state was reached.
local function add_times(command, from, upto)
  for i = from, upto, 2 do
    local key, entry = command .. ':times:' .. ARGV[i], ARGV[i + 1]
    local length = redis.call('APPEND', key, entry)
    if length > BUCKET_BYTES then redis.call('SET', key, redis.call('GETRANGE', key, 0, length - #entry - 1)) end
  end
end

-- Raises targets of a command for many. The bits of a report are a part of a bitmap that begins at the byte `offset`. What is no target is
-- cut off. Notes in each report how many rose and how many are in its state then, and stores times if there was a target among
-- them at all. Returns how many targets are settled.
--
-- Each count is asked for once, until the bitmap changes: most reports of a call are of one set, which was sent a command and acknowledged
-- it.
local function raise_many(command, reports, settled_from, first_entry, last_entry)
  local raised, counts, is_in, any = TMP .. 'raised', {}, {}, false
  local function count(level)
    if level > #LEVELS then return 0 end
    counts[level] = counts[level] or redis.call('BITCOUNT', command .. ':' .. LEVELS[level])
    return counts[level]
  end
  local function add(level)
    local key = command .. ':' .. LEVELS[level]
    redis.call('BITOP', 'OR', key, key, raised)
    counts[level], is_in[level] = nil, true
  end
  for at, report in ipairs(reports) do
    if report.bits ~= '' then
      if at > 1 then redis.call('DEL', raised) end
      redis.call('SETRANGE', raised, report.offset, report.bits)
      redis.call('BITOP', 'AND', raised, raised, command .. ':targets')
      is_in = {}
    end
    local level = report.level
    local before = count(level)
    add(level)
    report.rose = count(level) - before
    if report.rose > 0 then
      any = true
      for lower = 1, level - 1 do
        if not is_in[lower] then add(lower) end
      end
      report.now_in = count(level) - count(level + 1)
    end
    any = any or redis.call('BITPOS', raised, 1) >= 0
  end
  redis.call('DEL', raised)
  if any then add_times(command, first_entry, last_entry) end
  return count(settled_from)
end
