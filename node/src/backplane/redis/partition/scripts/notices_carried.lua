-- uses: time, notices
-- All notices, for the node that carries them on.
-- ARGV: node, how long it carries them on unless it asks again (ms)
-- Returns {time, 1, place, revision, number of lost nodes, of each the node and the second, then all notices}, or {time, 0} if there is
-- none or another node carries them on
local answer = { string.format('%.0f', now()) }
local carrier = redis.call('GET', NOTICES_CARRIER)
if redis.call('EXISTS', NOTICES) == 0 or (carrier and carrier ~= ARGV[1]) then return { answer[1], '0' } end
redis.call('SET', NOTICES_CARRIER, ARGV[1], 'PX', ARGV[2])
local place = redis.call('HMGET', NOTICES_PLACE, 'json', 'revision')
local lost = redis.call('ZRANGE', NODES_LOST, 0, 15, 'WITHSCORES')
answer[2], answer[3], answer[4], answer[5] = '1', place[1] or '{}', place[2] or '0', tostring(#lost / 2)
for i = 1, #lost do answer[#answer + 1] = lost[i] end
add_notices(answer)
return answer
