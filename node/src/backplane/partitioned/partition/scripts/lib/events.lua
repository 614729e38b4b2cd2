-- Events. An entry has `kind` and `data`, and for events of terminals `terminal` or `terminals` (events.rs reads them).
--   emit(kind, data)                  data is a whole JSON object
--   emit_of(kind, terminal, rest)     rest is what follows in the object: '"node":"n1"'
--   emit_many(kind, terminals, rest)  terminals is a list of at most STEP_MAX ids, each of which has this event
-- The reader adds the time of the entry's id to events of terminals, so nothing here writes a time.
local EVENT_BYTES = 64

local function add_event(kind, data, name, value)
  local bytes = EVENT_BYTES + #kind + #data
  if name then
    redis.call('XADD', EVENTS, '*', 'kind', kind, 'data', data, name, value)
    bytes = bytes + #value
  else
    redis.call('XADD', EVENTS, '*', 'kind', kind, 'data', data)
  end
  local used = redis.call('HINCRBY', USED, 'events', bytes)
  -- The oldest entries make room: 256 at most in a call, so the stream may be larger for a while.
  local rounds = 0
  while used > EVENTS_BYTES and rounds < 8 do
    local old, freed = redis.call('XRANGE', EVENTS, '-', '+', 'COUNT', 33), 0
    for i = 1, #old - 1 do
      local fields = old[i][2]
      freed = freed + EVENT_BYTES
      for j = 2, #fields, 2 do freed = freed + #fields[j] end
    end
    if freed == 0 then return end
    redis.call('XTRIM', EVENTS, 'MINID', old[#old][1])
    used, rounds = redis.call('HINCRBY', USED, 'events', -freed), rounds + 1
  end
end

local function emit(kind, data) add_event(kind, data) end

local function emit_of(kind, terminal, rest) add_event(kind, rest, 'terminal', terminal) end

local function emit_many(kind, terminals, rest)
  if #terminals > 0 then add_event(kind, rest, 'terminals', cjson.encode(terminals)) end
end
