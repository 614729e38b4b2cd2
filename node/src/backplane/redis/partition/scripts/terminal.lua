-- uses: time, rows
-- Tells what is known of a terminal: the five values of add_rows, or nothing if it is not known.
-- ARGV: terminal
local ord, answer = redis.call('HGET', ORDINALS, ARGV[1]), {}
if ord then add_rows(answer, { ord }, now()) end
return answer
