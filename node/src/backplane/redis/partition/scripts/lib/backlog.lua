-- Takes a command out of the backlog of an ord. Returns 1 if it was in it, else 0.
local function unqueue(ord, id) return redis.call('ZREM', BACKLOG .. ord, id) end
