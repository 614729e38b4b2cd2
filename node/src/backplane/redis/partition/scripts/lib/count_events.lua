-- Each EVENT_CHUNK bytes the id of the newest entry is noted in EVENT_CHUNKS. Beyond EVENTS_BYTES the entries before the oldest note go.
-- So an event costs no look at old ones, and `used` is exact to a chunk. No entry has as many bytes as a chunk.
local EVENT_BYTES = 64
local EVENT_CHUNK = 131072
-- A multiple of EVENT_CHUNK, which EVENTS_IN has on top while EVENT_WAITERS has a node. So an event that nobody waits for costs no look at
-- EVENT_WAITERS. The bytes of all events never come near it, and numbers up to twice as large are exact in Lua.
local EVENTS_AWAITED = 4503599627370496
local EVENT_WAITERS_MAX = 512

-- Tells the nodes that wait for the next event. Each is told once: it reads all events that there are, and then waits again.
local function wake_event_waiters()
  redis.call('DECRBY', EVENTS_IN, string.format('%.0f', EVENTS_AWAITED))
  local nodes = redis.call('SMEMBERS', EVENT_WAITERS)
  redis.call('DEL', EVENT_WAITERS)
  for _, node in ipairs(nodes) do redis.call('SPUBLISH', INBOX .. node, '"happened"') end
end

-- Counts the bytes of events of which the last has this id.
local function count_events(bytes, id)
  local all = redis.call('INCRBY', EVENTS_IN, bytes)
  if all >= EVENTS_AWAITED then wake_event_waiters() end
  if all % EVENT_CHUNK >= bytes then return end
  if redis.call('RPUSH', EVENT_CHUNKS, id) * EVENT_CHUNK > EVENTS_BYTES then
    -- As many bytes go as came.
    redis.call('XTRIM', EVENTS, 'MINID', redis.call('LPOP', EVENT_CHUNKS))
  else
    redis.call('INCRBY', USED, EVENT_CHUNK)
  end
end
