-- The text of a reason: its place in REASONS as a byte, or itself if it is not there.
local function reason_text(reason)
  local place = string.find(REASONS, ' ' .. reason .. ' ', 1, true)
  return place and string.char(place) or string.sub(reason, 1, 32)
end
