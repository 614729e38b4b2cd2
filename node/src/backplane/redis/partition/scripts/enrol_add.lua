-- uses: time
-- Stores an enrolment. At most 64 that have ended are removed first.
-- ARGV: id, the enrolment as JSON, state, terminal or '', whether it needs approval (1 or 0), how long it lives (ms), the most that are stored,
--       the address from which a terminal asked or ''
-- Returns 1, or 0 if as many as that are stored
local time = now()
for _, id in ipairs(redis.call('ZRANGEBYSCORE', ENROLMENTS, '-inf', string.format('%.0f', time), 'LIMIT', 0, 64)) do
  redis.call('ZREM', ENROLMENTS, id)
end
if redis.call('ZCARD', ENROLMENTS) >= tonumber(ARGV[7]) then return 0 end
local key = ENROLMENT .. ARGV[1]
redis.call('HSET', key, 'json', ARGV[2], 'state', ARGV[3], 'terminal', ARGV[4], 'approve', ARGV[5], 'address', ARGV[8])
redis.call('PEXPIRE', key, ARGV[6])
redis.call('ZADD', ENROLMENTS, string.format('%.0f', time + ARGV[6]), ARGV[1])
return 1
