-- Takes a step of all notices, if this node carries them on and nobody has taken a step since.
-- ARGV: node, revision that is replaced, place (JSON), score up to which offline terminals are forgotten, the most bytes that wait for a
--       receiver, how many terminals are back, how many went off, how many nodes are told of; then these terminals, a score and a
--       terminal each, these nodes; then of each message the notice, its id, the message (JSON) and the bytes of its body. At most
--       STEP_MAX of each
-- Returns {1, messages that found no room} or {0, 0}
-- Terminals that are forgotten in one step. What is left waits for the next.
local FORGOTTEN_AT_ONCE = 1000
local revision = redis.call('HGET', NOTICES_PLACE, 'revision') or '0'
if redis.call('GET', NOTICES_CARRIER) ~= ARGV[1] or revision ~= ARGV[2] then return { 0, 0 } end
redis.call('HSET', NOTICES_PLACE, 'json', ARGV[3], 'revision', string.format('%.0f', revision + 1))
local at, lost = 9, 0
local function take(count)
  local some = { unpack(ARGV, at, at + count - 1) }
  at = at + count
  return some
end
local back, off, nodes = take(tonumber(ARGV[6])), take(2 * ARGV[7]), take(tonumber(ARGV[8]))
if #back > 0 then redis.call('ZREM', NOTICES_AWAY, unpack(back)) end
if #off > 0 then redis.call('ZADD', NOTICES_AWAY, unpack(off)) end
if #nodes > 0 then redis.call('ZREM', NODES_LOST, unpack(nodes)) end
local passed = redis.call('ZRANGEBYSCORE', NOTICES_AWAY, '-inf', ARGV[4], 'LIMIT', 0, FORGOTTEN_AT_ONCE)
if #passed > 0 then redis.call('ZREM', NOTICES_AWAY, unpack(passed)) end
for i = at, #ARGV, 4 do
  local name, id, message, bytes = unpack(ARGV, i, i + 3)
  if redis.call('HEXISTS', NOTICES, name) == 1 then
    if (redis.call('HGET', NOTICES_BYTES, name) or 0) + bytes > tonumber(ARGV[5]) then
      redis.call('HINCRBY', NOTICES_LOST, name, 1)
      lost = lost + 1
    else
      redis.call('HSET', NOTICE .. name, id, message)
      redis.call('ZADD', NOTICE .. name .. ':due', 0, id)
      redis.call('HINCRBY', NOTICES_BYTES, name, bytes)
    end
  end
end
return { 1, lost }
