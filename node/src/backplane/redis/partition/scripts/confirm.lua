-- uses: time, tmp
-- Works out anew which terminals have something unconfirmed in `open`, some commands a call, so that most sessions that join need not
-- look at `open`. A call looks at 64 commands, and does so every 2 s at most, however many nodes call. What is accepted meanwhile has a
-- higher number than what was looked at, so a round comes to it before it ends. Returns 1 if a round has ended, else 0.
if redis.call('EXISTS', UNCONFIRMED) == 0 or not redis.call('SET', CONFIRM_REST, 1, 'NX', 'PX', 2000) then return 0 end
local time, at = now(), redis.call('GET', CONFIRMED_TO) or '0'
local open = redis.call('ZRANGE', OPEN, '(' .. at, '+inf', 'BYSCORE', 'LIMIT', 0, 64, 'WITHSCORES')
local left = new_tmp()
for i = 1, #open, 2 do
  local id, expires = string.match(open[i], '^(%S+) (%d+)$')
  local cancelled, done, confirm = unpack(redis.call('HMGET', COMMAND .. id, 'cancelled_at', 'done', 'confirm'))
  -- Of one that is done all targets have acknowledged it, unless it asked for no acknowledgement.
  if tonumber(expires) > time and not cancelled and not (done and confirm ~= 'none') then
    redis.call('BITOP', 'AND', left, COMMAND .. id .. ':targets', COMMAND .. id .. ':acked')
    redis.call('BITOP', 'XOR', left, left, COMMAND .. id .. ':targets')
    redis.call('BITOP', 'OR', UNCONFIRMED_NEXT, UNCONFIRMED_NEXT, left)
  end
end
drop_tmp()
if #open == 128 then
  redis.call('SET', CONFIRMED_TO, open[#open])
  return 0
end
redis.call('DEL', UNCONFIRMED, CONFIRMED_TO)
if redis.call('EXISTS', UNCONFIRMED_NEXT) == 1 then redis.call('RENAME', UNCONFIRMED_NEXT, UNCONFIRMED) end
return 1
