-- uses: levels
-- What is stored of a command: here, and at its home if that is here. Returns {} if nothing is.
-- ARGV: command, 'brief' to leave the frame out
-- Returns {frame, request, author, created, expires, cancelled_at or '', rejected and late, the number of targets at each level from 0,
-- 'accepting' or 'accepted', shares}
local command, home = COMMAND .. ARGV[1], HOME .. ARGV[1]
local fields = { ARGV[2] == 'brief' and 'none' or 'frame', 'ask', 'by', 'created', 'expires', 'cancelled_at' }
local at_home = redis.call('HMGET', home, 'state', 'shares', 'late', unpack(fields))
local here = redis.call('HMGET', command, 'kind', 'of', 'records', 'rejected', unpack(fields))
if not at_home[1] and not here[1] then return {} end
local answer = {}
for i = 1, #fields do answer[i] = at_home[3 + i] or here[4 + i] or '' end
answer[#answer + 1] = tonumber(here[4] or 0)
answer[#answer + 1] = tonumber(at_home[3] or 0)
local counts = { [0] = 0, 0, 0, 0, 0, 0, 0, 0 }
if here[1] == 'few' then counts = few_counts(here[3] or '', tonumber(here[2])) end
if here[1] == 'many' then counts = many_counts(command, tonumber(here[2])) end
for level = 0, #LEVELS do answer[#answer + 1] = counts[level] end
answer[#answer + 1] = at_home[1] or 'accepted'
answer[#answer + 1] = at_home[2] or ''
return answer
