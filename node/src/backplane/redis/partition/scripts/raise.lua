-- uses: few_states, many_states, events, epoch
-- Raises targets of commands to states. States only rise, so a report may come twice and in any order. What is no target is none.
-- ARGV: the epoch that gave the ordinals or '', the last number that the node has seen of it, name for a new store, then for each command
--       its id, the number of its reports, the number of entries of times, each report, and each entry of times (its bucket, and itself).
--       A report: its state, 'settled' if these targets never confirm more than this state, their ordinals and times as few_states.lua
--       reads them, the first byte of a bitmap of their ordinals, and the bitmap from there, or '' if the targets are those of the
--       report before. The reports of a command are in the order of their states.
-- Returns for each command: 1 if all its targets in this partition are settled now and were not before, else 0; 1 if the command has other
-- partitions, else 0; and how many targets rose by each of its reports. Nothing if the store has another epoch, or gets one now since it
-- lacks that number.
if ARGV[1] ~= '' and name_store(ARGV[3], ARGV[1], ARGV[2]) ~= ARGV[1] then return false end
-- First all of them are read, so that one whose key has another type changes nothing of the others.
local commands, at = {}, 4
while at <= #ARGV do
  local id, reports, first_entry = ARGV[at], {}, at + 3 + 5 * ARGV[at + 1]
  for i = at + 3, first_entry - 1, 5 do
    local report = { level = LEVEL[ARGV[i]], settled = ARGV[i + 1] == 'settled', few = ARGV[i + 2], rose = 0 }
    report.offset, report.bits = ARGV[i + 3], ARGV[i + 4]
    reports[#reports + 1] = report
  end
  local fields = redis.call('HMGET', COMMAND .. id, 'kind', 'of', 'confirm', 'list', 'records', 'share', 'waiters', 'cancelled_at',
    'done')
  at = first_entry + 2 * ARGV[at + 2]
  commands[#commands + 1] = { id = id, reports = reports, fields = fields, first_entry = first_entry, last_entry = at - 1 }
end

-- Events of all commands, their kinds and data by turns, and what is counted.
local answer, told, counted = {}, {}, {}
local function count(name, number) counted[name] = (counted[name] or 0) + number end

for _, one in ipairs(commands) do
  local id, reports, command, is_settled = one.id, one.reports, COMMAND .. one.id, 0
  local kind, of, confirm, list, records, share, waiters, cancelled, done = unpack(one.fields)
  if kind then
    local settled_from, settled, reached, counts, changed = SETTLED_FROM[confirm] or 2, 0, 0, nil, nil
    if kind == 'few' then
      settled, counts, changed = raise_few(id, list or '', records, reports, settled_from)
      -- What was not sent of a cancelled command will not be.
      if cancelled and counts then settled = settled + counts[0] end
    else
      settled = raise_many(command, reports, settled_from, one.first_entry, one.last_entry)
      if cancelled then settled = settled + of - redis.call('BITCOUNT', command .. ':sent') end
    end
    for _, report in ipairs(reports) do
      if report.rose > 0 then
        reached = math.max(reached, report.level)
        local state = LEVELS[report.level]
        count(state, report.rose)
        told[#told + 1] = 'command.state'
        told[#told + 1] = string.format('{"command":"%s","state":"%s","terminals":%d,"of":%d}', id, state, report.rose, report.now_in)
      end
    end
    if not done and reached >= settled_from and settled >= tonumber(of) then is_settled = 1 end
    if changed and is_settled == 1 then
      redis.call('HSET', command, 'records', changed, 'done', 1)
    elseif changed then
      redis.call('HSET', command, 'records', changed)
    elseif is_settled == 1 then
      redis.call('HSET', command, 'done', 1)
    end
    if is_settled == 1 then
      -- with: time, done
      if share then
        -- Until its home is told.
        redis.call('ZADD', SETTLED_HERE, string.format('%.0f', now()), id)
      else
        redis.call('ZREM', ENDING, id)
        told[#told + 1], told[#told + 2] = 'command.done', done_data(id, confirm, cancelled, false, counts)
        if not cancelled then count('done', 1) end
        wake_waiters(id, waiters)
      end
    end
  end
  answer[#answer + 1], answer[#answer + 2] = is_settled, share and 1 or 0
  for _, report in ipairs(reports) do answer[#answer + 1] = report.rose end
end
emit_all(told)
for name, number in pairs(counted) do redis.call('HINCRBY', COUNTED, name, number) end
return answer
