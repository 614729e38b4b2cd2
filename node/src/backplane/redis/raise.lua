-- Raises targets of a command to a state; states only rise, and what is no target is none. Returns how many rose.
-- KEYS: command, targets   ARGV: state, terminals
local rank = { queued = 0, sent = 1, acked = 2 }
local state = ARGV[1]
local from = {}
for i = 2, #ARGV do
  local now = redis.call('HGET', KEYS[2], ARGV[i])
  if now and rank[now] < rank[state] then
    redis.call('HSET', KEYS[2], ARGV[i], state)
    from[now] = (from[now] or 0) + 1
  end
end
local rose = 0
for now, count in pairs(from) do
  redis.call('HINCRBY', KEYS[1], now, -count)
  rose = rose + count
end
if rose > 0 then redis.call('HINCRBY', KEYS[1], state, rose) end
return rose
