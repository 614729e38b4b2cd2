-- uses: count_events
-- Writes that a terminal went online or offline, as emit_of in events.lua does. Returns the time in milliseconds, which is in the entry's id, so a
-- session that begins or ends need not ask for it. If the clock was set back it is the time of the entry before.
local function emit_presence(kind, terminal, rest)
  local id = redis.call('XADD', EVENTS, '*', 'kind', kind, 'data', rest, 'terminal', terminal)
  count_events(EVENT_BYTES + #kind + #rest + #terminal, id)
  return tonumber(string.match(id, '^%d+'))
end
