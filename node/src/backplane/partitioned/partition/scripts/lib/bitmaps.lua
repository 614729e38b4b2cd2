-- Calls visit(bit) for each bit that is set in a string of bytes, from 0. Only for strings of a fixed length.
local function each_bit(bytes, visit)
  for at = 1, #bytes do
    local byte = string.byte(bytes, at)
    if byte ~= 0 then
      for place = 0, 7 do
        if bit.band(byte, bit.rshift(128, place)) ~= 0 then visit((at - 1) * 8 + place) end
      end
    end
  end
end
