-- uses: changes
-- Adds a change to those that are stored of a terminal.
local function record_change(ord, kind, text, time)
  if CHANGES_MAX == 0 then return end
  local past = redis.call('HGET', TERMINALS, ord .. '+')
  redis.call('HSET', TERMINALS, ord .. '+', with_change(past, new_change(kind, text, time)))
end

-- The text of a reason: its place in REASONS as a byte, or itself if it is not there.
local function reason_text(reason)
  local place = string.find(REASONS, ' ' .. reason .. ' ', 1, true)
  return place and string.char(place) or string.sub(reason, 1, 32)
end
