-- uses: owner, events
-- A number of eight bytes, the greatest byte first, as `since` has it.
local function pack_number(number) return struct.pack('>I8', tonumber(number)) end

-- The store has ended a session, for this reason. Its node is told by its inbox. A node that does not listen finds the reason when it
-- listens again, or when the session joins again.
local function end_session(session, reason, node, envelope)
  redis.call('SET', ENDED .. session, reason, 'PX', ENDED_MS)
  if node then redis.call('SPUBLISH', INBOX .. node, envelope) end
end

-- Takes a session out of what its node holds.
local function release(ord, node)
  redis.call('SETBIT', HELD .. node, ord, 0)
  redis.call('SETBIT', STALE .. node, ord, 0)
  if redis.call('EXISTS', DEAD .. node) == 1 then redis.call('SETBIT', DEAD .. node, ord, 0) end
end

-- The terminal goes offline, for this reason. Its will is published if its connection was lost. `number` is the number up to
-- which its session had everything.
local function part(ord, terminal, node, reason, lost, number, time)
  release(ord, node)
  redis.call('SETRANGE', SINCE, ord * 8, pack_number(number))
  redis.call('SETBIT', AWAY, ord, 1)
  redis.call('SETRANGE', LEFT, ord * 4, struct.pack('>I4', math.floor(time / 1000)))
  emit_of('terminal.offline', terminal, '"reason":"' .. reason .. '"')
  if CHANGES_MAX > 0 then
    -- with: record_change
    record_change(ord, CHANGE_OFFLINE, reason_text(reason), time)
  end
  local will = redis.call('HGET', WILLS, ord)
  if will then
    redis.call('HDEL', WILLS, ord)
    if lost then emit_of('terminal.event', terminal, '"name":"will","payload":' .. will) end
  end
end
