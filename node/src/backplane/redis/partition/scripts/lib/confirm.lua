-- uses: tmp
-- The commands that a call looks at. With 62,500 ords it takes about 1 ms.
local CONFIRM_MAX = 64

-- Looks which terminals have not confirmed the next commands of `open`. When it has come to the end of `open`, which ends a round, UNCONFIRMED
-- has those terminals and no others. What is accepted meanwhile has a higher number than what was looked at, so a round comes to
-- it before it ends. Returns whether a round has ended.
local function confirm_portion(time)
  local at = redis.call('GET', CONFIRMED_TO) or '0'
  local open = redis.call('ZRANGE', OPEN, '(' .. at, '+inf', 'BYSCORE', 'LIMIT', 0, CONFIRM_MAX, 'WITHSCORES')
  local left = new_tmp()
  for i = 1, #open, 2 do
    local id, expires = string.match(open[i], '^(%S+) (%d+)$')
    local command = COMMAND .. id
    local cancelled, done, confirm = unpack(redis.call('HMGET', command, 'cancelled_at', 'done', 'confirm'))
    -- Of one that is done all targets have acknowledged it, unless it asked for no acknowledgement.
    if tonumber(expires) > time and not cancelled and not (done and confirm ~= 'none') then
      local lacking = command .. ':targets'
      -- BITOP takes ten times as long with a key that is not there. `acked` lies within the targets and is as long as they are.
      if redis.call('EXISTS', command .. ':acked') == 1 then
        redis.call('BITOP', 'XOR', left, lacking, command .. ':acked')
        lacking = left
      end
      redis.call('BITOP', 'OR', UNCONFIRMED_NEXT, UNCONFIRMED_NEXT, lacking)
    end
  end
  drop_tmp()
  if #open == 2 * CONFIRM_MAX then
    redis.call('SET', CONFIRMED_TO, open[#open])
    return false
  end
  redis.call('DEL', UNCONFIRMED, CONFIRMED_TO)
  if redis.call('EXISTS', UNCONFIRMED_NEXT) == 1 then redis.call('RENAME', UNCONFIRMED_NEXT, UNCONFIRMED) end
  redis.call('SET', CONFIRM_REST, 1, 'PX', CONFIRM_REST_MS)
  return true
end
