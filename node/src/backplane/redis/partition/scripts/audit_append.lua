-- Writes records of the audit. Those of strangers go into a log of their own. Both logs share one sequence of numbers, so that a reader can
-- put them into one order. A batch that came before is not written again.
-- ARGV: the writing process, the number of its batch, for how long (ms) it is remembered, the bytes that the log may have, those of the
--       strangers' log, the bytes of a record beside its JSON; then of each record whether it is a stranger's (1 or 0) and its JSON
-- Returns 1, or 0 if the batch was written before
local last = AUDIT_WRITER .. ARGV[1]
if tonumber(redis.call('GET', last) or -1) >= tonumber(ARGV[2]) then return 0 end
redis.call('SET', last, ARGV[2], 'PX', ARGV[3])
local logs = {
  ['0'] = { key = AUDIT, size = AUDIT_SIZE, most = tonumber(ARGV[4]), added = 0 },
  ['1'] = { key = AUDIT_STRANGERS, size = AUDIT_STRANGERS_SIZE, most = tonumber(ARGV[5]), added = 0 },
}
for i = 7, #ARGV, 2 do
  local log, json = logs[ARGV[i]], ARGV[i + 1]
  local number = string.format('%.0f', redis.call('INCR', AUDIT_NUMBER))
  redis.call('XADD', log.key, number .. '-0', 'json', json)
  log.added = log.added + #json + tonumber(ARGV[6])
end

-- Removes the oldest beyond the bound, at most 1,024 in a call, which are more bytes than a call adds.
local function trim(log)
  local size = redis.call('INCRBY', log.size, log.added)
  local removed, steps = 0, 0
  while size - removed > log.most and steps < 32 do
    local oldest = redis.call('XRANGE', log.key, '-', '+', 'COUNT', 32)
    local keep = nil
    for _, entry in ipairs(oldest) do
      if size - removed <= log.most then
        keep = entry[1]
        break
      end
      removed = removed + #entry[2][2] + tonumber(ARGV[6])
    end
    if not keep and #oldest > 0 then
      keep = string.format('%.0f-1', tonumber(string.match(oldest[#oldest][1], '^%d+')))
    end
    if keep then redis.call('XTRIM', log.key, 'MINID', keep) end
    steps = #oldest < 32 and 32 or steps + 1
  end
  if removed > 0 then redis.call('DECRBY', log.size, string.format('%.0f', removed)) end
end

for _, log in pairs(logs) do
  if log.added > 0 then trim(log) end
end
return 1
