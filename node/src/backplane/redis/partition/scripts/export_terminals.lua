-- uses: time, presence, owner
-- What is stored of terminals, by their ords: at most STEP_MAX ords a call, and 1 MiB and one.
-- ARGV: the ord at which the page begins
-- Returns {the ord at which to go on or '', then eight values a terminal: ord, 1 if it is registered or 0 if it was forgotten, entry, labels that
-- operators gave, health, condition or '', eight bytes of when it was last heard, when it left (s since 1970) or '' if it is online}
local BYTES_MAX = 1048576
local first, ords = tonumber(ARGV[1]), tonumber(redis.call('GET', NEXT_ORD) or 0)
local after, answer, is_live, bytes = math.min(first + STEP_MAX, ords), { '' }, {}, 0
for _, node in ipairs(live_nodes(now())) do is_live[node] = true end

local function condition_of(ord)
  if redis.call('GETBIT', FAILING, ord) == 1 then return 'failing' end
  return redis.call('GETBIT', DEGRADED, ord) == 1 and 'degraded' or ''
end

local function left_of(ord, entry)
  local node = owner(entry)
  if node and is_live[node] and redis.call('GETBIT', HELD .. node, ord) == 1 then return '' end
  local left = redis.call('GETRANGE', LEFT, ord * 12 + 8, ord * 12 + 11)
  return #left == 4 and string.format('%.0f', struct.unpack('>I4', left)) or '0'
end

local function add(ord, entry, given, health)
  local is_known = redis.call('GETBIT', KNOWN, ord)
  local row = { ord, is_known, entry, '', '', '', '', '0' }
  if is_known == 1 then
    row = { ord, 1, entry, given or '', health or '', condition_of(ord), redis.call('GETRANGE', SEEN, ord * 8, ord * 8 + 7), left_of(ord, entry) }
  end
  for _, value in ipairs(row) do
    answer[#answer + 1] = value
    bytes = bytes + #tostring(value)
  end
end

local ord = first
while ord < after and bytes <= BYTES_MAX do
  local part = {}
  for place = ord, math.min(ord + 64, after) - 1 do part[#part + 1] = place end
  local entries = redis.call('HMGET', TERMINALS, unpack(part))
  local given, health = redis.call('HMGET', GIVEN, unpack(part)), redis.call('HMGET', HEALTH, unpack(part))
  for i = 1, #part do
    if bytes > BYTES_MAX then break end
    if entries[i] then add(part[i], entries[i], given[i], health[i]) end
    ord = part[i] + 1
  end
end
if ord < ords then answer[1] = ord end
return answer
