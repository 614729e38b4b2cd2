-- uses: levels
-- The targets of a command for many of which the ords lie in one bucket of 4,096, and when they reached states.
-- ARGV: command, bucket
-- Returns {512 bytes of the bitmap of targets, of the bitmap of each level in order, times of the bucket}
local command, first = COMMAND .. ARGV[1], ARGV[2] * 512
local answer = { redis.call('GETRANGE', command .. ':targets', first, first + 511) }
for _, level in ipairs(LEVELS) do answer[#answer + 1] = redis.call('GETRANGE', command .. ':' .. level, first, first + 511) end
answer[#answer + 1] = redis.call('GET', command .. ':times:' .. ARGV[2]) or ''
return answer
