-- uses: time, levels, events
-- Cancels a command in this partition: what was not sent will not be. The mark is left also where the share was not taken yet, which
-- then is never taken, for as long as the command is stored.
-- ARGV: command, 'event' where it is told to those who follow events, or 'few' to cancel (and tell) only a command of this partition
--       alone, how long the mark is stored if there is no share (ms), or '' to leave none
-- Returns 1, or 0 if there is no such command, or 2 if it is not of this partition alone and only such were to be cancelled. One that has
-- expired, or was sent to all, has nothing left to cancel, and stays as it is.
local id, command, home, time = ARGV[1], COMMAND .. ARGV[1], HOME .. ARGV[1], now()
local kind, of, expires, records = unpack(redis.call('HMGET', command, 'kind', 'of', 'expires', 'records'))
local home_expires = redis.call('HGET', home, 'expires')
if not kind and not home_expires and ARGV[3] == '' then return 0 end
if ARGV[2] == 'few' and kind ~= 'few' then return 2 end
if tonumber(expires or home_expires or time + 1) <= time then return 1 end
local queued = 1
if kind == 'few' then queued = few_counts(records or '', tonumber(of))[0] end
if kind == 'many' then queued = of - redis.call('BITCOUNT', command .. ':sent') end
-- A home that is still accepting, or has other partitions' shares, is marked by itself.
if home_expires then redis.call('HSETNX', home, 'cancelled_at', string.format('%.0f', time)) end
if queued == 0 or redis.call('HSETNX', command, 'cancelled_at', string.format('%.0f', time)) == 0 then return 1 end
if not kind then
  redis.call('ZADD', STORED, string.format('%.0f', time + (ARGV[3] ~= '' and ARGV[3] or 0)), id)
  return 1
end
redis.call('SPUBLISH', BROADCAST, '{"cancel":{"command":"' .. id .. '"}}')
if ARGV[2] ~= '' then emit('command.state', '{"command":"' .. id .. '","state":"cancelled"}') end
return 1
