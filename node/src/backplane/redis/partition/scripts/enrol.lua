-- A terminal uses a code. Whoever takes the enrolment removes it in the same step, so a code is used once, whichever nodes are asked.
-- ARGV: id, the terminal or '', the address from which it asks, the state of one that is open, of one that waits
-- Returns {'unknown'}; {'nameless'} if neither says for which terminal; {'other'} if it is another terminal's; {'waiting'}; or
-- {'taken', the enrolment as JSON, the terminal}
local key = ENROLMENT .. ARGV[1]
local stored = redis.call('HMGET', key, 'json', 'state', 'terminal', 'approve')
local json, state, terminal = stored[1], stored[2], stored[3]
if not json then return { 'unknown' } end
if terminal == '' then
  terminal = ARGV[2]
elseif ARGV[2] ~= '' and ARGV[2] ~= terminal then
  return { 'other' }
end
if terminal == '' then return { 'nameless' } end
if state == ARGV[4] and stored[4] == '1' then
  redis.call('HSET', key, 'state', ARGV[5], 'terminal', terminal, 'address', ARGV[3])
  state = ARGV[5]
end
if state == ARGV[5] then return { 'waiting' } end
redis.call('DEL', key)
redis.call('ZREM', ENROLMENTS, ARGV[1])
return { 'taken', json, terminal }
