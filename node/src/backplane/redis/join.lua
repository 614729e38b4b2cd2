-- Registers a session, unless the terminal has a newer one. Returns 1 if it did, else 0.
-- KEYS: online, terminals, ids, held   ARGV: terminal, session, node, record, inbox prefix, label prefix, held prefix
local terminal, session, node = ARGV[1], ARGV[2], ARGV[3]
local owner = redis.call('HGET', KEYS[1], terminal)
if owner then
  local old_node, old_session = string.match(owner, '^(%S+) (%S+)$')
  if old_session > session then return 0 end
  if old_node ~= node then
    redis.call('SREM', ARGV[7] .. old_node, terminal)
    redis.call('PUBLISH', ARGV[5] .. old_node,
      '{"replaced":{"terminal":"' .. terminal .. '","by":"' .. session .. '"}}')
  end
end
local function labels(record) return cjson.decode(record).labels end
local old = redis.call('HGET', KEYS[2], terminal)
if old then
  for key, value in pairs(labels(old)) do redis.call('SREM', ARGV[6] .. key .. '=' .. value, terminal) end
end
for key, value in pairs(labels(ARGV[4])) do redis.call('SADD', ARGV[6] .. key .. '=' .. value, terminal) end
redis.call('HSET', KEYS[1], terminal, node .. ' ' .. session)
redis.call('HSET', KEYS[2], terminal, ARGV[4])
redis.call('ZADD', KEYS[3], 0, terminal)
redis.call('SADD', KEYS[4], terminal)
return 1
