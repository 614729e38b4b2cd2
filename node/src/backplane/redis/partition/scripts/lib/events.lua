-- uses: count_events
-- Events. An entry has `kind` and `data`, and for events of terminals `terminal` or `terminals` (events.rs reads them).
--   emit(kind, data)                  data is a whole JSON object
--   emit_of(kind, terminal, rest)     rest is what follows in the object: '"node":"n1"'
--   emit_all(events)                  several, their kinds and data by turns, each data a whole JSON object
--   emit_many(kind, terminals, rest)  terminals is a list of at most STEP_MAX ids, each of which has this event
-- The reader adds the time of the entry's id to events of terminals, so nothing here writes a time.
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
