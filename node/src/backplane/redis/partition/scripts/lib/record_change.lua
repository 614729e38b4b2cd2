-- uses: changes
-- Adds a change to those that are stored of a terminal.
local function record_change(ord, kind, text, time)
  if CHANGES_MAX == 0 then return end
  local past = redis.call('HGET', TERMINALS, ord .. '+')
  redis.call('HSET', TERMINALS, ord .. '+', with_change(past, new_change(kind, text, time)))
end
