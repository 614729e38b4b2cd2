-- uses: labels
-- Adds a portion of named terminals to the set of which a share is taken. Nothing is accepted by that. If the share was taken already,
-- nothing is done.
-- ARGV: command, how long the set waits for its share (ms), at most STEP_MAX terminals
-- Returns those that are not registered.
local command, gone, ords = COMMAND .. ARGV[1], {}, {}
if redis.call('HEXISTS', command, 'of') == 1 then return gone end
for i, ord in ipairs(redis.call('HMGET', ORDINALS, unpack(ARGV, 3))) do
  if ord then ords[#ords + 1] = ord else gone[#gone + 1] = ARGV[i + 2] end
end
local frozen = command .. ':frozen'
set_bits(frozen, ords)
-- The key is there also if all are gone: without it the share can't be taken.
redis.call('SETBIT', frozen, 0, redis.call('GETBIT', frozen, 0))
redis.call('PEXPIRE', frozen, ARGV[2])
return gone
