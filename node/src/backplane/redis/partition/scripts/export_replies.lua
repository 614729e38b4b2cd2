-- Replies to a command, of at most STEP_MAX targets, 256 KiB and one.
-- ARGV: command, ords
-- Returns {how many of the ords were looked at, then ord, reply, ...}
local replies, answer, bytes, looked = COMMAND .. ARGV[1] .. ':replies', { 0 }, 0, 0
for i = 2, math.min(#ARGV, STEP_MAX + 1) do
  if bytes > 262144 then break end
  local reply = redis.call('HGET', replies, ARGV[i])
  looked = looked + 1
  if reply then
    answer[#answer + 1], answer[#answer + 2] = ARGV[i], reply
    bytes = bytes + #reply
  end
end
answer[1] = looked
return answer
