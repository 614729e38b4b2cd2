-- What is stored, in bytes, by what uses it. A command's bytes are an upper bound of all that it will need, taken when it is accepted
-- and given back when it is forgotten: its hash and its entries in lists, and for each target its place, states and times. Backlogs
-- are counted by themselves, as their entries come and go, and so are replies.
local COMMAND_BYTES = 1500
local FEW_BYTES = 100
local MANY_BYTES = 16
local KEY_BYTES = 300
local REPLY_BYTES = 100

-- The bytes of commands, those of backlogs, and all bytes.
local function used_bytes()
  local used = redis.call('HMGET', USED, 'commands', 'backlogs', 'replies', 'keys', 'events')
  local commands, backlogs = used[1] or 0, used[2] or 0
  return commands, backlogs, commands + backlogs + (used[3] or 0) + (used[4] or 0) + (used[5] or 0)
end
