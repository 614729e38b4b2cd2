-- uses: presence, owner
-- Terminals as registry.rs reads them.
local ROW_BYTES_MAX = 1048576

-- Appends to an answer what is known of these ords, five values each: the entry, the labels that operators gave, health, eight bytes of
-- when it was last heard, and the status. Stops at ROW_BYTES_MAX. Returns how many of the ords were told.
local function add_rows(answer, ords, time)
  local is_live, bytes = {}, 0
  for _, node in ipairs(live_nodes(time)) do is_live[node] = true end
  for from = 1, #ords, 64 do
    local part = { unpack(ords, from, math.min(from + 63, #ords)) }
    local entries = redis.call('HMGET', TERMINALS, unpack(part))
    local given = redis.call('HMGET', GIVEN, unpack(part))
    local health = redis.call('HMGET', HEALTH, unpack(part))
    for i, ord in ipairs(part) do
      local entry, node, status = entries[i] or '', nil, 'offline'
      node = owner(entry)
      if node and is_live[node] and redis.call('GETBIT', HELD .. node, ord) == 1 then
        status = redis.call('GETBIT', STALE .. node, ord) == 1 and 'stale' or 'online'
      end
      local at = #answer
      answer[at + 1], answer[at + 2], answer[at + 3], answer[at + 4], answer[at + 5] = entry, given[i] or '', health[i] or '',
        redis.call('GETRANGE', SEEN, ord * 8, ord * 8 + 7), status
      bytes = bytes + #entry + #answer[at + 2] + #answer[at + 3]
      if bytes > ROW_BYTES_MAX then return from + i - 1 end
    end
  end
  return #ords
end
