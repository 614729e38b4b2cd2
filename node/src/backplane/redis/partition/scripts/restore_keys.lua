-- uses: budget
-- Stores idempotency keys of an import, at most 64 a call.
-- ARGV: for each key its hash, what is stored under it, when it is forgotten (ms)
for i = 1, #ARGV, 3 do
  if redis.call('EXISTS', KEY .. ARGV[i]) == 0 then redis.call('INCRBY', USED, KEY_BYTES) end
  redis.call('SET', KEY .. ARGV[i], ARGV[i + 1])
  redis.call('ZADD', KEYS_DUE, ARGV[i + 2], ARGV[i])
end
