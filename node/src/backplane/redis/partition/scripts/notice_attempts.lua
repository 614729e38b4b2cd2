-- The last attempts to deliver messages of a notice, newest first.
-- ARGV: name, how many
-- Returns them (JSON)
local found = {}
for i = 1, tonumber(ARGV[2]) do
  local attempt = redis.call('LINDEX', NOTICE .. ARGV[1] .. ':attempts', -i)
  if not attempt then break end
  found[i] = attempt
end
return found
