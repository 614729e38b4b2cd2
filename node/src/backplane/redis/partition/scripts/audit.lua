-- The newest records of the audit, of both logs.
-- ARGV: the number before which to begin or '', the most entries of each log, the bytes of each log beyond which no more is read
-- Returns of the log, and of the strangers' log: ids and JSON by turns, the newest first, and 1 if there may be older ones
local function part(key)
  local found, bytes, looked = {}, 0, 0
  local to = ARGV[1] == '' and '+' or '(' .. ARGV[1] .. '-0'
  while looked < tonumber(ARGV[2]) and bytes < tonumber(ARGV[3]) do
    local entries = redis.call('XREVRANGE', key, to, '-', 'COUNT', 32)
    for _, entry in ipairs(entries) do
      found[#found + 1] = entry[1]
      found[#found + 1] = entry[2][2]
      bytes = bytes + #entry[2][2]
      to = '(' .. entry[1]
    end
    looked = looked + #entries
    if #entries < 32 then return { found, 0 } end
  end
  return { found, 1 }
end

return { part(AUDIT), part(AUDIT_STRANGERS) }
