-- uses: tmp
-- Who is online: whose session is held by a node with a lease. A dead node's sessions are gone with its lease.
local NODES_MAX = 500

-- The nodes that have a lease, at most NODES_MAX.
local function live_nodes(time)
  return redis.call('ZRANGE', NODES, string.format('(%.0f', time), '+inf', 'BYSCORE', 'LIMIT', 0, NODES_MAX)
end

local function union(prefix, nodes)
  local keys, into = {}, new_tmp()
  for i, node in ipairs(nodes) do keys[i] = prefix .. node end
  if #keys > 0 then redis.call('BITOP', 'OR', into, unpack(keys)) end
  return into
end

-- A bitmap of the terminals that are online, and one of those of them that are stale.
local function online_set(time) return union(HELD, live_nodes(time)) end

local function stale_set(time, online)
  local into = union(STALE, live_nodes(time))
  redis.call('BITOP', 'AND', into, into, online)
  return into
end
