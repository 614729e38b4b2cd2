-- An operator approves the terminal that has used a code.
-- ARGV: id, the state of one that waits, of one that is approved
-- Returns the state that it had, or '' if there is none
local key = ENROLMENT .. ARGV[1]
local state = redis.call('HGET', key, 'state') or ''
if state == ARGV[2] then redis.call('HSET', key, 'state', ARGV[3]) end
return state
