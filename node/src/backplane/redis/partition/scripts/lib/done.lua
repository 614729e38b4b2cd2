-- uses: events
-- Tells that a command is done: to those who follow events, and to the nodes that wait for it (wait.lua).
local function tell_done(id, waiters)
  emit('command.done', '{"command":"' .. id .. '"}')
  redis.call('HINCRBY', COUNTED, 'done', 1)
  for node in string.gmatch(waiters or '', '%S+') do redis.call('SPUBLISH', INBOX .. node, '{"done":{"command":"' .. id .. '"}}') end
end
