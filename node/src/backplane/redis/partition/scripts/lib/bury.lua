-- uses: owner, events, bitmaps, changes, reason_text
-- Tells of the sessions of nodes that are dead. They are gone for everyone already, since they are no longer in `held` (dead.lua).
local WILL_BYTES_MAX = 262144
-- The sessions of a call, and the ords of a block. A session takes about 10 µs, half of that for its changes.
local BURY_MAX = 128
local BLOCK_BYTES = BURY_MAX / 8

-- Writes a value of some bytes for each of these places, from an ord that begins a block, in one call.
local function patch(key, first, places, value)
  local width, last = #value, places[#places]
  local old = redis.call('GETRANGE', key, first * width, (first + last + 1) * width - 1)
  old = old .. string.rep('\0', (last + 1) * width - #old)
  local pieces, from = {}, 0
  for _, place in ipairs(places) do
    pieces[#pieces + 1] = string.sub(old, from * width + 1, place * width)
    pieces[#pieces + 1] = value
    from = place + 1
  end
  redis.call('SETRANGE', key, first * width, table.concat(pieces))
end

local function set_away(first, places)
  local bytes, old = {}, redis.call('GETRANGE', AWAY, first / 8, first / 8 + BLOCK_BYTES - 1)
  for i = 1, BLOCK_BYTES do bytes[i] = string.byte(old, i) or 0 end
  for _, place in ipairs(places) do
    local i = math.floor(place / 8) + 1
    bytes[i] = bit.bor(bytes[i], bit.rshift(128, place % 8))
  end
  redis.call('SETRANGE', AWAY, first / 8, string.char(unpack(bytes)))
end

-- Records that the first `count` of these ords went offline, in two calls.
local function record_ends(ords, count, reason, time)
  if CHANGES_MAX == 0 or count == 0 then return end
  local fields, change, written = {}, new_change(CHANGE_OFFLINE, reason_text(reason), time), {}
  for i = 1, count do fields[i] = ords[i] .. '+' end
  for i, past in ipairs(redis.call('HMGET', TERMINALS, unpack(fields))) do
    written[i * 2 - 1], written[i * 2] = fields[i], with_change(past, change)
  end
  redis.call('HSET', TERMINALS, unpack(written))
end

-- The sessions of one block of BURY_MAX ords, until their wills have WILL_BYTES_MAX. Returns their terminals, and the wills.
local function bury_block(node, first, places, reason, reached, time)
  local ords, names, wills, bytes, done = {}, {}, {}, 0, {}
  for i, place in ipairs(places) do ords[i] = first + place end
  local entries = redis.call('HMGET', TERMINALS, unpack(ords))
  local all_wills = redis.call('EXISTS', WILLS) == 1 and redis.call('HMGET', WILLS, unpack(ords)) or {}
  for i, entry in ipairs(entries) do
    if bytes > WILL_BYTES_MAX then break end
    local name = entry and name_in(entry)
    if name then
      names[#names + 1] = name
      if all_wills[i] then
        wills[#wills + 1] = { name, all_wills[i] }
        bytes = bytes + #all_wills[i]
        redis.call('HDEL', WILLS, ords[i])
      end
    end
    done[i] = places[i]
  end
  record_ends(ords, #done, reason, time)
  patch(LEFT, first, done, struct.pack('>I8I4', tonumber(reached), math.floor(time / 1000)))
  set_away(first, done)
  if #done == #places then
    redis.call('SETRANGE', DEAD .. node, first / 8, string.rep('\0', BLOCK_BYTES))
  else
    for _, place in ipairs(done) do redis.call('SETBIT', DEAD .. node, first + place, 0) end
  end
  return names, wills, #done == #places
end

-- Tells of at most BURY_MAX sessions of a dead node, in at most 16 blocks. Returns how many, and whether there are more.
local function bury_portion(node, time)
  local reason, reached = string.match(redis.call('HGET', DEAD_NODES, node) or '', '^(%S+) (%d+)$')
  if not reason then return 0, false end
  local names, wills, is_whole = {}, {}, true
  local key, is_over = DEAD .. node, false
  for _ = 1, 16 do
    local at = redis.call('BITPOS', key, 1)
    if at < 0 then
      redis.call('DEL', key)
      redis.call('HDEL', DEAD_NODES, node)
      is_over = true
      break
    end
    local first, places = at - at % BURY_MAX, {}
    each_bit(redis.call('GETRANGE', key, first / 8, first / 8 + BLOCK_BYTES - 1), function(place) places[#places + 1] = place end)
    if #names + #places > BURY_MAX then break end
    local some, some_wills
    some, some_wills, is_whole = bury_block(node, first, places, reason, reached, time)
    for _, name in ipairs(some) do names[#names + 1] = name end
    for _, will in ipairs(some_wills) do wills[#wills + 1] = will end
    if not is_whole or #wills >= 64 then break end
  end
  emit_many('terminal.offline', names, '"reason":"' .. reason .. '"')
  for _, will in ipairs(wills) do emit_of('terminal.event', will[1], '"name":"will","payload":' .. will[2]) end
  return #names, not is_over
end
