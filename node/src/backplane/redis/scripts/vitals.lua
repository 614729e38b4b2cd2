-- Keeps how terminals fare; one that was forgotten meanwhile stays so.
-- ARGV: for each terminal its id, when it was last heard in milliseconds or '', the last ping's way in milliseconds, its health
--       (JSON) or '', its condition or ''
for i = 1, #ARGV, 5 do
  local terminal, seen, rtt, health, condition = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  if redis.call('HEXISTS', TERMINALS, terminal) == 1 then
    if seen ~= '' then
      redis.call('HSET', SEEN, terminal, seen .. ' ' .. rtt)
      -- Only of those who are on the line.
      redis.call('ZADD', PULSE, 'XX', seen, terminal)
    end
    if health ~= '' then
      redis.call('HSET', HEALTH, terminal, health)
      for _, known in ipairs({ 'degraded', 'failing' }) do
        redis.call(condition == known and 'SADD' or 'SREM', CONDITION .. known, terminal)
      end
    end
  end
end
