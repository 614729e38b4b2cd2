-- The last changes of a terminal, as changes.rs reads them: a byte with their number, and then each, the oldest first: a byte (its kind
-- + the length of its text - 1), its time in seconds since 1970 (4 bytes), and its text of 1 to 32 bytes. They stand in the field
-- `ord+` of `terminals`, so that a join reads and writes them with the record. CHANGES_MAX is 0 if they are not recorded.

local function new_change(kind, text, time) return string.char(kind + #text - 1) .. struct.pack('>I4', time / 1000) .. text end

-- `past` with one change more. What finds no room goes, the oldest first.
local function with_change(past, change)
  if not past then return '\1' .. change end
  local count, from, room = string.byte(past) + 1, 2, CHANGES_BYTES - #change - 1
  while count > CHANGES_MAX or (from <= #past and #past - from + 1 > room) do
    from = from + 6 + (string.byte(past, from) or 0) % 32
    count = count - 1
  end
  return string.char(count) .. string.sub(past, from) .. change
end
