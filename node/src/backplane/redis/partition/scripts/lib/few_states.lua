-- uses: levels, backlog
-- Raises one target's record to a level that it reached at `at`. The first time of each step stays; the time of the end is that of the
-- final state that counts, so a final state that replaces a lower one brings its own time. Returns the record and its level before.
local function raise_record(record, level, at)
  local old = string.byte(record)
  local step = math.min(level, 4)
  local from = 2 + (step - 1) * 4
  local known = struct.unpack('>I4', record, from)
  if known == 0 or (level > old and step == 4) then
    record = string.sub(record, 1, from - 1) .. struct.pack('>I4', at) .. string.sub(record, from + 4)
  end
  if level > old then record = string.char(level) .. string.sub(record, 2) end
  return record, old
end

-- Raises targets of a command for few. Each report has in `few` 8 bytes for each target: its ordinal, and 1 and the milliseconds since the
-- time in the command's id. Notes in each report how many rose and how many are in its state then. Returns how many targets are settled, the
-- number of targets at each level, if any rose, and the records, if they must be written.
local function raise_few(id, list, records, reports, settled_from)
  local changed, counts, settled, of = false, nil, 0, #list / 4
  records = records or string.rep(EMPTY_RECORD, of)
  for _, report in ipairs(reports) do
    local level, confirmed = report.level, report.level >= 2 or report.settled
    for at = 1, #report.few, 8 do
      local ord, ms = struct.unpack('>I4I4', report.few, at)
      local place = place_of(list, ord)
      if place then
        local from = place * FEW_RECORD + 1
        local old = string.sub(records, from, from + FEW_RECORD - 1)
        local record, old_level = raise_record(old, level, ms)
        if record ~= old then
          records = string.sub(records, 1, from - 1) .. record .. string.sub(records, from + FEW_RECORD)
          changed = true
        end
        if level > old_level then report.rose = report.rose + 1 end
        if confirmed then unqueue(ord, id) end
      end
    end
    if report.rose > 0 then
      counts = few_counts(records, of)
      report.now_in = counts[level]
    end
  end
  if counts then
    for reached = settled_from, #LEVELS do settled = settled + counts[reached] end
  end
  return settled, counts, changed and records
end
