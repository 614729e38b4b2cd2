-- uses: time
-- Messages of a notice that are due.
-- ARGV: name, how many
-- Returns them (JSON)
local key, found = NOTICE .. ARGV[1], {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key .. ':due', '-inf', string.format('%.0f', now()), 'LIMIT', 0, ARGV[2])) do
  found[#found + 1] = redis.call('HGET', key, id) or nil
end
return found
