-- The SHA-1 of a bitmap without the zero bytes at its end, which two bitmaps of the same ords may differ in.
local function checksum(bytes)
  local length, zeros = #bytes, string.rep('\0', 64)
  while length >= 64 and string.sub(bytes, length - 63, length) == zeros do length = length - 64 end
  while length > 0 and string.byte(bytes, length) == 0 do length = length - 1 end
  return redis.sha1hex(string.sub(bytes, 1, length))
end
