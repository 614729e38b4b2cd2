-- uses: time, forget, bitmaps
-- Forgets terminals that are offline for longer than this, at most 64 a call. A call looks at 512 ords, and the next call goes on behind
-- them. A terminal that has come back keeps its bit in AWAY until it is looked at here, long after it left. So a session that joins need not take
-- it out. Returns how many were forgotten, or found to have come back.
-- ARGV: milliseconds
local time, count = now(), 0
local at = redis.call('BITPOS', AWAY, 1, tonumber(redis.call('GET', AWAY_AT) or 0))
if at < 0 then
  redis.call('DEL', AWAY_AT)
  return 0
end
local first = at - at % 512
local block = redis.call('GETRANGE', AWAY, first / 8, first / 8 + 63)
local left = redis.call('GETRANGE', LEFT, first * 12, first * 12 + 6143)
local due = {}
each_bit(block, function(bit)
  local since = bit * 12 + 12 <= #left and struct.unpack('>I4', left, bit * 12 + 9) or 0
  if since * 1000 <= time - ARGV[1] then due[#due + 1] = first + bit end
end)
for i = 1, math.min(#due, 64) do
  local entry = redis.call('HGET', TERMINALS, due[i])
  local terminal, node = entry and name_in(entry), owner(entry)
  if node and holds(node, due[i]) then
    redis.call('SETBIT', AWAY, due[i], 0)
  elseif terminal then
    forget_terminal(due[i], terminal, entry, time)
  end
  count = count + 1
end
-- With more to do here the next call begins here.
redis.call('SET', AWAY_AT, string.format('%d', #due > 64 and first / 8 or first / 8 + 64))
return count
