-- uses: time
-- The node that holds a terminal's session. If `exact`, only one that holds a lease now: without that a session counts until the
-- sessions of a dead node are given up, and what is sent to its inbox is heard by nobody.
local function node_of(ord, record, exact, live, time)
  local node = record and string.match(record, '^(%S+) ')
  if not node or redis.call('GETBIT', HELD .. node, ord) == 0 then return nil end
  if exact and live[node] == nil then live[node] = tonumber(redis.call('ZSCORE', NODES, node) or 0) > time end
  if not exact or live[node] then return node end
end

-- The terminals that a request names, in ascending order of their ordinals, as { ord =, id =, node = }. The second result has the ids
-- that are not registered.
local function find_named(names, exact, time)
  local targets, unknown, live = {}, {}, {}
  if #names == 1 then
    local ord = redis.call('HGET', ORDINALS, names[1])
    if not ord then return targets, names end
    targets[1] = { ord = ord, id = names[1], node = node_of(ord, redis.call('HGET', TERMINALS, ord), exact, live, time) }
    return targets, unknown
  end
  local ords = {}
  for i, ord in ipairs(redis.call('HMGET', ORDINALS, unpack(names))) do
    if ord then
      ords[#ords + 1] = ord
      targets[#targets + 1] = { ord = tonumber(ord), id = names[i] }
    else
      unknown[#unknown + 1] = names[i]
    end
  end
  if #ords == 0 then return targets, unknown end
  local records = redis.call('HMGET', TERMINALS, unpack(ords))
  for i, target in ipairs(targets) do target.node = node_of(target.ord, records[i], exact, live, time) end
  table.sort(targets, function(one, other) return one.ord < other.ord end)
  return targets, unknown
end

-- The ids of those targets that have a session, or of those that have none.
local function ids_of(targets, with_session)
  local ids = {}
  for _, target in ipairs(targets) do
    if (target.node ~= nil) == with_session then ids[#ids + 1] = target.id end
  end
  return ids
end
