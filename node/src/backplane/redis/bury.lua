-- Takes a node that is gone out of the registry, with the sessions that are still its own. Returns how many they were.
-- KEYS: nodes, lease, held, online, events   ARGV: node, reason, 'dead' if the lease must have run out, time
if ARGV[3] == 'dead' and redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local count = 0
for _, terminal in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  local owner = redis.call('HGET', KEYS[4], terminal)
  if owner and string.match(owner, '^(%S+) ') == ARGV[1] then
    redis.call('HDEL', KEYS[4], terminal)
    redis.call('XADD', KEYS[5], 'MAXLEN', '~', 10000, '*', 'kind', 'terminal.offline', 'data',
      '{"terminal":"' .. terminal .. '","at":"' .. ARGV[4] .. '","reason":"' .. ARGV[2] .. '"}')
    count = count + 1
  end
end
redis.call('DEL', KEYS[3], KEYS[2])
redis.call('ZREM', KEYS[1], ARGV[1])
return count
