-- Events. An entry has `kind` and `data`, and for events of terminals `terminal` or `terminals` (events.rs reads them).
--   emit(kind, data)                  data is a whole JSON object
--   emit_of(kind, terminal, rest)     rest is what follows in the object: '"node":"n1"'
--   emit_all(events)                  several, their kinds and data by turns, each data a whole JSON object
--   emit_many(kind, terminals, rest)  terminals is a list of at most STEP_MAX ids, each of which has this event
-- The reader adds the time of the entry's id to events of terminals, so nothing here writes a time.
--
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

local function add_event(kind, data, name, value)
  local bytes, id = EVENT_BYTES + #kind + #data, nil
  if name then
    bytes = bytes + #value
    id = redis.call('XADD', EVENTS, '*', 'kind', kind, 'data', data, name, value)
  else
    id = redis.call('XADD', EVENTS, '*', 'kind', kind, 'data', data)
  end
  count_events(bytes, id)
end

-- The bytes of several events are counted together. They are fewer than a chunk has bytes for.
local function emit_all(events)
  local bytes, id = 0, nil
  for i = 1, #events, 2 do
    bytes = bytes + EVENT_BYTES + #events[i] + #events[i + 1]
    id = redis.call('XADD', EVENTS, '*', 'kind', events[i], 'data', events[i + 1])
  end
  if id then count_events(bytes, id) end
end

local function emit(kind, data) add_event(kind, data) end

local function emit_of(kind, terminal, rest) add_event(kind, rest, 'terminal', terminal) end

local function emit_many(kind, terminals, rest)
  if #terminals > 0 then add_event(kind, rest, 'terminals', cjson.encode(terminals)) end
end
