-- uses: owner, events
-- The store has ended a session, for this reason. Its node is told by its inbox. A node that does not listen finds the reason when it
-- listens again, or when the session joins again.
local function end_session(session, reason, node, envelope)
  redis.call('SET', ENDED .. session, reason, 'PX', ENDED_MS)
  if node then redis.call('SPUBLISH', INBOX .. node, envelope) end
end

-- Clears the bit of an ord in a bitmap that is there. A bitmap that is not there is not made.
local function clear(bitmap, ord)
  if redis.call('EXISTS', bitmap) == 1 then redis.call('SETBIT', bitmap, ord, '0') end
end

-- Takes a session out of what its node holds.
local function release(ord, node)
  for _, bitmap in ipairs({ HELD, STALE, DEAD }) do clear(bitmap .. node, ord) end
end
