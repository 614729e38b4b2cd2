-- uses: time, levels, events
-- Cancels a command in this partition: what was not sent will not be. The mark is left also where the share was not taken yet, which
-- then is never taken, for as long as the command is stored. A command that was sent to all of its targets stays as it is, so a partition
-- in which all have it is marked only if another one has cancelled something: then what was not acknowledged is not sent again there.
-- The home says that the command is cancelled, and tells that to those who follow events, once.
-- ARGV: command, 'others' if other partitions have cancelled something, else 'home' at the home, 'alone' to cancel only a command of this
--       partition alone, or '', how long the mark is stored if there is no share (ms), or '' to leave none
-- Returns 2 if it is cancelled here, 1 if not, 0 if there is no such command, and 3 if it is not of this partition alone and only such
-- were to be cancelled. One that has expired, or was sent to all, has nothing left to cancel.
local id, command, home, time = ARGV[1], COMMAND .. ARGV[1], HOME .. ARGV[1], now()
local kind, of, expires, records, share, cancelled, confirm =
  unpack(redis.call('HMGET', command, 'kind', 'of', 'expires', 'records', 'share', 'cancelled_at', 'confirm'))
local home_expires, state = unpack(redis.call('HMGET', home, 'expires', 'state'))
local event = '{"command":"' .. id .. '","state":"cancelled"}'
if not kind and not home_expires and ARGV[3] == '' then return 0 end
if ARGV[2] == 'alone' and (share or not kind) then return 3 end
if tonumber(expires or home_expires or time + 1) <= time then return 1 end
if not cancelled and (kind or ARGV[3] ~= '') then
  local counts
  if kind == 'few' then counts = few_counts(records or '', tonumber(of)) end
  if kind == 'many' then counts = many_counts(command, tonumber(of)) end
  cancelled = not counts or counts[0] > 0 or ARGV[2] == 'others'
  if cancelled then redis.call('HSET', command, 'cancelled_at', string.format('%.0f', time)) end
  if cancelled and kind then redis.call('SPUBLISH', BROADCAST, '{"cancel":{"command":"' .. id .. '"}}') end
  if cancelled and kind and not share then
    emit('command.state', event)
    redis.call('HINCRBY', COUNTED, 'cancelled', 1)
  end
  local settled = cancelled and kind and counts[0]
  for level = SETTLED_FROM[confirm] or 2, settled and #LEVELS or 0 do settled = settled + counts[level] end
  if settled and settled >= tonumber(of) and redis.call('HSETNX', command, 'done', 1) == 1 then
    -- with: done
    if share then
      -- The next beat of any node tells the home.
      redis.call('ZADD', SETTLED_HERE, 0, id)
    else
      redis.call('ZREM', ENDING, id)
      emit_done(id, confirm, true, false, counts)
    end
  end
  if cancelled and not kind then redis.call('ZADD', STORED, string.format('%.0f', time + ARGV[3]), id) end
end
local is_marked = cancelled or ARGV[2] == 'others' or state == 'accepting'
if home_expires and ARGV[2] ~= '' and is_marked and redis.call('HSETNX', home, 'cancelled_at', string.format('%.0f', time)) == 1 then
  emit('command.state', event)
  redis.call('HINCRBY', COUNTED, 'cancelled', 1)
end
return cancelled and 2 or 1
