-- Whatever is stored of a command here, but for the targets of a command for many, and replies.
-- ARGV: command, 'brief' to leave frames and requests out
-- Returns {what its home has: frame, request, author, what must be confirmed, created, expires, cancelled_at, state, told, late, shares, its place in the
-- list of commands, when it may be forgotten; what its share has: the first seven of these, kind, done, rejected, refused, list, records, bytes of
-- replies, the length of the bitmap of its targets, when it may be forgotten; the ords in whose backlogs it is, 4 bytes each}
local id, command, home = ARGV[1], COMMAND .. ARGV[1], HOME .. ARGV[1]
local is_brief = ARGV[2] == 'brief'
local text = { is_brief and 'none' or 'frame', is_brief and 'none' or 'ask', 'by', 'confirm', 'created', 'expires', 'cancelled_at' }
local at_home = redis.call('HMGET', home, unpack(text))
for _, value in ipairs(redis.call('HMGET', home, 'state', 'told', 'late', 'shares')) do at_home[#at_home + 1] = value end
local here = redis.call('HMGET', command, unpack(text))
for _, value in ipairs(redis.call('HMGET', command, 'kind', 'done', 'rejected', 'refused', 'list', 'records', 'replied')) do here[#here + 1] = value end
local listed, stored = redis.call('ZSCORE', HOMES, id), redis.call('ZSCORE', STORED, id)
at_home[#at_home + 1], at_home[#at_home + 2] = listed, stored
here[#here + 1], here[#here + 2] = redis.call('STRLEN', command .. ':targets'), stored
local waiting, list = {}, here[12] or ''
for at = 1, math.min(#list, 4 * STEP_MAX), 4 do
  local ord = string.sub(list, at, at + 3)
  if redis.call('ZSCORE', BACKLOG .. struct.unpack('>I4', ord), id) then waiting[#waiting + 1] = ord end
end
return { at_home, here, table.concat(waiting) }
