-- uses: time, levels, budget
-- Stores a partition's share of a command of an import. Nothing is sent: terminals are told of it when they join. It has no entry in the log,
-- which is for nodes that missed what was published. Called twice it changes nothing more.
-- ARGV: id, frame, request, author, what must be confirmed, kind, number, created, expires, cancelled_at or '', when it may be forgotten (ms), how many
--       were rejected, who and why (JSON) or ''; of a command for few: its targets' ords, 4 bytes each, ascending, their records, and the ords in
--       whose backlogs it is
-- Returns {targets, 1 if all of them are settled, else 0}
local id, command, kind, number, expires, time = ARGV[1], COMMAND .. ARGV[1], ARGV[6], ARGV[7], ARGV[9], now()
local list, records, waiting = ARGV[14], ARGV[15], ARGV[16]
local settled_from, settled, of, bytes = SETTLED_FROM[ARGV[5]] or 2, 0, 0, #ARGV[2] + #ARGV[3] + COMMAND_BYTES
if kind == 'few' then
  of = #list / 4
  bytes = bytes + of * FEW_BYTES
  local counts = few_counts(records, of)
  for reached = settled_from, #LEVELS do settled = settled + counts[reached] end
  -- What was not sent of a cancelled command will not be.
  if ARGV[10] ~= '' then settled = settled + counts[0] end
else
  of = redis.call('BITCOUNT', command .. ':targets')
  bytes = bytes + of * MANY_BYTES + redis.call('STRLEN', command .. ':targets') * (#LEVELS + 1)
  settled = redis.call('BITCOUNT', command .. ':' .. LEVELS[settled_from])
  if ARGV[10] ~= '' then settled = settled + of - redis.call('BITCOUNT', command .. ':sent') end
end

local before = redis.call('HGET', command, 'bytes') or 0
redis.call('HSET', command, 'frame', ARGV[2], 'ask', ARGV[3], 'by', ARGV[4], 'confirm', ARGV[5], 'kind', kind, 'number', of > 0 and number or '0',
  'created', ARGV[8], 'expires', expires, 'of', of, 'bytes', bytes, 'share', 1)
if ARGV[10] ~= '' then redis.call('HSET', command, 'cancelled_at', ARGV[10]) end
if ARGV[13] ~= '' then redis.call('HSET', command, 'rejected', ARGV[12], 'refused', ARGV[13]) end
redis.call('ZADD', STORED, ARGV[11], id)
redis.call('INCRBY', USED, bytes - before)
local is_settled = settled >= of
if of > 0 and is_settled then redis.call('HSET', command, 'done', 1) end

if kind == 'few' and of > 0 then redis.call('HSET', command, 'list', list, 'records', records) end
if of > 0 and tonumber(expires) > time then
  for at = 1, #waiting, 4 do redis.call('ZADD', BACKLOG .. struct.unpack('>I4', waiting, at), number, id) end
  if kind == 'many' then
    redis.call('ZADD', OPEN, number, id .. ' ' .. expires)
    redis.call('ZADD', ENDING, expires, id)
    redis.call('BITOP', 'OR', UNCONFIRMED, UNCONFIRMED, command .. ':targets')
  end
end
return { of, is_settled and 1 or 0 }
