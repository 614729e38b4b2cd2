-- The labels of terminals.
-- ARGV: at most 64 terminals
-- Returns for each that is known its entry, and the labels that operators gave it or ''
local known, answer = {}, {}
for _, ord in ipairs(redis.call('HMGET', ORDINALS, unpack(ARGV))) do
  if ord then known[#known + 1] = ord end
end
if #known == 0 then return answer end
local entries, given = redis.call('HMGET', TERMINALS, unpack(known)), redis.call('HMGET', GIVEN, unpack(known))
for i in ipairs(known) do
  answer[2 * i - 1], answer[2 * i] = entries[i] or '', given[i] or ''
end
return answer
