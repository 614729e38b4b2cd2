-- The bytes that an entry of a backlog is counted with, in `used`.
local BACKLOG_BYTES = 100

-- Takes a command out of the backlog of an ord. Returns 1 if it was in it, else 0.
local function unqueue(ord, id)
  local removed = redis.call('ZREM', BACKLOG .. ord, id)
  if removed == 1 then redis.call('HINCRBY', USED, 'backlogs', -BACKLOG_BYTES) end
  return removed
end
