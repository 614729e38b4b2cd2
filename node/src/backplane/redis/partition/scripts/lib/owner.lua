-- What `terminals` has of an ord: the node and the session of its last session, or nothing if it is forgotten or never had one.
local function owner(entry)
  if not entry then return nil, nil end
  return string.match(entry, '^(%S+) (%S+)')
end

-- Whether a session is registered: its node holds it, or is dead and its end is still to be told (bury.lua).
local function holds(node, ord)
  return redis.call('GETBIT', HELD .. node, ord) == 1 or redis.call('GETBIT', DEAD .. node, ord) == 1
end

-- The terminal that an entry of `terminals` is of.
local function name_in(entry) return string.match(entry, '^[^\n]*\n{"terminal":"([^"]+)"') end
