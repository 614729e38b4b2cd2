-- uses: time, selection
-- Counts the terminals of a selection. Returns {'ok', count, of them online}, or what select_set refuses with.
-- ARGV: selection
local time = now()
local set, refusal = select_set(ARGV[1], time)
if not set then return refusal end
local present = new_tmp()
redis.call('BITOP', 'AND', present, set, online_set(time))
local answer = { 'ok', redis.call('BITCOUNT', set), redis.call('BITCOUNT', present) }
drop_tmp()
return answer
