-- Nodes whose lease ended. Their sessions go with the lease. DEAD has those of which no event says so yet, and DEAD_NODES has `reason
-- reached` of each such node, `reached` being the number up to which it had passed everything on. bury.lua tells the events.

-- Notes, for notices, that the lease of a node has run out. Without notices, or in a partition that has none, nobody asks.
local function note_lost(node)
  if redis.call('EXISTS', NOTICES) == 0 or redis.call('ZCARD', NODES_LOST) >= NODES_LOST_MAX then return end
  redis.call('ZADD', NODES_LOST, redis.call('TIME')[1], node)
end

-- Takes a node out of those that hold sessions, for this reason. A node that died twice before its sessions were told keeps the first
-- reason and the lower number: a number that is too low costs a look at some commands, and one that is too high loses them.
local function declare_dead(node, reason)
  if reason == 'node_lost' then note_lost(node) end
  local reached = tonumber(redis.call('HGET', REACHED, node) or 0)
  if redis.call('EXISTS', HELD .. node) == 1 then
    local before = redis.call('HGET', DEAD_NODES, node)
    if before then
      local first_reason, first = string.match(before, '^(%S+) (%d+)$')
      reason, reached = first_reason, math.min(reached, tonumber(first))
    end
    redis.call('BITOP', 'OR', DEAD .. node, DEAD .. node, HELD .. node)
    redis.call('HSET', DEAD_NODES, node, reason .. ' ' .. string.format('%.0f', reached))
  end
  redis.call('DEL', HELD .. node, STALE .. node, LEASE .. node, PROCESS .. node, LAST_IN .. node)
  redis.call('ZREM', NODES, node)
  redis.call('HDEL', REACHED, node)
  redis.call('HDEL', CLAIMS, node)
end

-- Declares the nodes dead whose lease has run out, at most 8 in a call.
local function declare_expired(time)
  for _, node in ipairs(redis.call('ZRANGE', NODES, '-inf', string.format('%.0f', time), 'BYSCORE', 'LIMIT', 0, 8)) do
    if redis.call('EXISTS', LEASE .. node) == 0 then declare_dead(node, 'node_lost') end
  end
end

-- The number up to which the node had passed everything on that holds the session of an ord, or held it until it died. A process that has
-- the same name since then has another number.
local function reached_of(node, ord)
  local dead = redis.call('HGET', DEAD_NODES, node)
  if dead and redis.call('GETBIT', DEAD .. node, ord) == 1 then return string.match(dead, ' (%d+)$') end
  return redis.call('HGET', REACHED, node)
end
