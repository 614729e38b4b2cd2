-- uses: time, forget
-- Forgets a terminal. Returns 1, or 0 if it was not known. If it is online, its node ends its session, and followers of the events are
-- told here: by the time the session ends nothing is left to unregister. The last session of a terminal that is offline is ended too: a
-- node that lost its lease may still have it.
-- ARGV: terminal
local terminal = ARGV[1]
local ord = redis.call('HGET', ORDINALS, terminal)
if not ord then return 0 end
local entry = redis.call('HGET', TERMINALS, ord)
local node, session = owner(entry)
local is_held = node and holds(node, ord)
if session then
  end_session(session, 'removed', is_held and node, '{"remove":{"terminal":"' .. terminal .. '"}}')
end
if is_held then
  -- The labels can't be looked up any more.
  local labels = cjson.encode(all_labels(string.match(entry, '\n(.*)'), redis.call('HGET', GIVEN, ord)))
  emit_of('terminal.offline', terminal, '"reason":"removed","labels":' .. labels)
end
forget_terminal(ord, terminal, entry, now())
return 1
