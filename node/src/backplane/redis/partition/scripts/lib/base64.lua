-- Bytes as base64, for envelopes, which are JSON.
local BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

local function base64(bytes)
  local alphabet, out, byte, char = {}, {}, string.byte, string.char
  for i = 1, 64 do alphabet[i - 1] = byte(BASE64, i) end
  local rshift, band = bit.rshift, bit.band
  local padding = -#bytes % 3
  bytes = bytes .. string.rep('\0', padding)
  for at = 1, #bytes, 3 do
    local one, two, three = byte(bytes, at, at + 2)
    local all = one * 65536 + two * 256 + three
    out[#out + 1] = char(alphabet[rshift(all, 18)], alphabet[band(rshift(all, 12), 63)], alphabet[band(rshift(all, 6), 63)], alphabet[band(all, 63)])
  end
  local text = table.concat(out)
  return string.sub(text, 1, #text - padding) .. string.rep('=', padding)
end
