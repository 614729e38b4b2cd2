-- The bytes that an entry of a backlog is counted with, in `used`.
local BACKLOG_BYTES = 100

-- Takes a command out of the backlog of an ord.
local function unqueue(ord, id)
  if redis.call('ZREM', BACKLOG .. ord, id) == 1 then redis.call('HINCRBY', USED, 'backlogs', -BACKLOG_BYTES) end
end
