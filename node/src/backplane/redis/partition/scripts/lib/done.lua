-- uses: events, levels
-- Tells that a command is done: followers of the events by `command.done`, and the nodes that wait for it (wait.lua).
local DONE_STATES = { 'queued', 'sent', 'acked', 'running', 'timed_out', 'expired', 'cancelled', 'succeeded', 'failed', 'rejected' }

-- The data of the event of a command whose targets are all in this partition. `counts` are the targets at each level from 0; the event has the
-- states that the API shows for them (command_record.rs). Of a command with shares tell_done.lua writes it.
local function done_data(id, confirm, cancelled, is_over, counts)
  local shown, of, parts = {}, 0, {}
  for level = 0, #LEVELS do
    local state = LEVELS[level] or (cancelled and 'cancelled') or (is_over and 'expired') or 'queued'
    if is_over and confirm == 'result' and (state == 'acked' or state == 'running') then state = 'timed_out' end
    shown[state] = (shown[state] or 0) + counts[level]
    of = of + counts[level]
  end
  for _, state in ipairs(DONE_STATES) do
    if (shown[state] or 0) > 0 then parts[#parts + 1] = '"' .. state .. '":' .. shown[state] end
  end
  return '{"command":"' .. id .. '","state":"' .. (cancelled and 'cancelled' or 'done') .. '","targets":' .. of .. ',"counts":{' ..
    table.concat(parts, ',') .. '}}'
end

-- Writes it.
local function emit_done(id, confirm, cancelled, is_over, counts)
  emit('command.done', done_data(id, confirm, cancelled, is_over, counts))
  if not cancelled then redis.call('HINCRBY', COUNTED, 'done', 1) end
end

local function wake_waiters(id, waiters)
  for node in string.gmatch(waiters or '', '%S+') do redis.call('SPUBLISH', INBOX .. node, '{"done":{"command":"' .. id .. '"}}') end
end

-- All shares of a command are settled, or it has expired. Any node writes the event then (telling.lua), since only a node can ask all
-- partitions for the counts.
local function end_at_home(id, time)
  if redis.call('HSETNX', HOME .. id, 'done', 1) == 0 then return false end
  redis.call('ZADD', TELLING, string.format('%.0f', time), id)
  local waiters, cancelled = unpack(redis.call('HMGET', HOME .. id, 'waiters', 'cancelled_at'))
  if not cancelled then redis.call('HINCRBY', COUNTED, 'done', 1) end
  wake_waiters(id, waiters)
  return true
end
