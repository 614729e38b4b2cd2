-- uses: few_states, many_states, events
-- Raises targets of a command to a state. States only rise, so a report may come twice and in any order. What is no target is none.
-- ARGV: command, state, 'settled' if these targets never confirm more than this state, their ordinals and times as few_states.lua reads
--       them, the first byte of a bitmap of their ordinals, the bitmap from there, the epoch that gave the ordinals or '', then bucket, entry of
--       its times, ...
-- Returns how many rose, 1 if all targets of the command in this partition are settled now and were not before, else 0, and 1 if the
-- command has other partitions, else 0. Nothing if the store has another epoch.
if ARGV[7] ~= '' and redis.call('GET', EPOCH) ~= ARGV[7] then return false end
local id, level, command = ARGV[1], LEVEL[ARGV[2]], COMMAND .. ARGV[1]
local fields = redis.call('HMGET', command, 'kind', 'of', 'confirm', 'list', 'records', 'share', 'waiters', 'cancelled_at')
local kind, of, confirm, list, records, share, waiters, cancelled = unpack(fields)
if not kind or not level then return { 0, 0, 0 } end
of = tonumber(of)

local rose, now_in, settled, counts
local settled_from = SETTLED_FROM[confirm] or 2
if kind == 'few' then
  rose, records = raise_few(command, id, list, records or '', level, ARGV[4], level >= 2 or ARGV[3] == 'settled')
  if rose == 0 then return { 0, 0, 0 } end
  counts = few_counts(records, of)
  now_in, settled = counts[level], cancelled and counts[0] or 0
  for reached = settled_from, #LEVELS do settled = settled + counts[reached] end
else
  local any
  rose, any = raise_many(command, level, ARGV[5], ARGV[6])
  if any then add_times(command, ARGV, 8) end
  if rose == 0 then return { 0, 0, 0 } end
  local above = level < #LEVELS and redis.call('BITCOUNT', command .. ':' .. LEVELS[level + 1]) or 0
  now_in = redis.call('BITCOUNT', command .. ':' .. LEVELS[level]) - above
  settled = level >= settled_from and redis.call('BITCOUNT', command .. ':' .. LEVELS[settled_from]) or 0
  if cancelled then settled = settled + of - redis.call('BITCOUNT', command .. ':sent') end
end
emit('command.state', '{"command":"' .. id .. '","state":"' .. ARGV[2] .. '","terminals":' .. rose .. ',"of":' .. now_in .. '}')
redis.call('HINCRBY', COUNTED, ARGV[2], rose)
if level < settled_from or settled < of or redis.call('HSETNX', command, 'done', 1) == 0 then return { rose, 0, share and 1 or 0 } end
-- with: time, done
if share then
  -- Until its home is told.
  redis.call('ZADD', SETTLED_HERE, string.format('%.0f', now()), id)
  return { rose, 1, 1 }
end
redis.call('ZREM', ENDING, id)
emit_done(id, confirm, cancelled, false, counts)
wake_waiters(id, waiters)
return { rose, 1, 0 }
