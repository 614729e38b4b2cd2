-- Calls visit(bit) for each bit that is set in a string of bytes, from 0. Only for strings of a bounded length.
local function each_bit(bytes, visit)
  local at = string.find(bytes, '[^%z]')
  while at do
    local byte = string.byte(bytes, at)
    for place = 0, 7 do
      if bit.band(byte, bit.rshift(128, place)) ~= 0 then visit((at - 1) * 8 + place) end
    end
    at = string.find(bytes, '[^%z]', at + 1)
  end
end
