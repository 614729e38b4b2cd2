-- uses: time, missed
-- Tells what else a session missed that join.lua did not tell.
-- ARGV: terminal, ord, protocol, above, open_from, number, as join.lua gave them
-- Returns {above, missed...}, as join.lua; nothing more if the terminal has another ord by now.
local ord, state = ARGV[2], ARGV[3] == 'plain' and 'sent' or 'acked'
if redis.call('HGET', ORDINALS, ARGV[1]) ~= ord then return { '' } end
local missed, above = missed_after(ord, ARGV[4], ARGV[5], ARGV[6], state, now())
return { above, unpack(missed) }
