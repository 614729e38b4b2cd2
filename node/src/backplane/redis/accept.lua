-- Stores a command, freezes its targets, and publishes it: to every node, or to the nodes that hold its targets.
-- KEYS: online, terminals, command, targets, broadcast
-- ARGV: selector kind, frame, created, keep in milliseconds, inbox prefix, then terminals or the names of label sets
-- Returns {'ok', count}, {'unknown', ids} or {'offline', ids}.
local kind, frame = ARGV[1], ARGV[2]
local named = {}
for i = 6, #ARGV do named[#named + 1] = ARGV[i] end

local function online_of(ids)
  local found = {}
  for _, id in ipairs(ids) do
    local owner = redis.call('HGET', KEYS[1], id)
    if owner then found[#found + 1] = { id, owner } end
  end
  return found
end

local function missing_of(key, ids)
  local missing = {}
  for _, id in ipairs(ids) do
    if redis.call('HEXISTS', key, id) == 0 then missing[#missing + 1] = id end
  end
  return missing
end

local targets
if kind == 'all' then
  targets = {}
  local flat = redis.call('HGETALL', KEYS[1])
  for i = 1, #flat, 2 do targets[#targets + 1] = { flat[i], flat[i + 1] } end
elseif kind == 'labels' then
  targets = online_of(redis.call('SINTER', unpack(named)))
else
  local unknown = missing_of(KEYS[2], named)
  if #unknown > 0 then return { 'unknown', unknown } end
  local offline = missing_of(KEYS[1], named)
  if #offline > 0 then return { 'offline', offline } end
  targets = online_of(named)
end

redis.call('HSET', KEYS[3], 'frame', frame, 'created', ARGV[3], 'queued', #targets, 'sent', 0, 'acked', 0)
redis.call('PEXPIRE', KEYS[3], ARGV[4])
if #targets > 0 then
  -- In portions: a call takes only so many arguments from a script.
  for from = 1, #targets, 1000 do
    local fields = {}
    for i = from, math.min(from + 999, #targets) do
      fields[#fields + 1] = targets[i][1]
      fields[#fields + 1] = 'queued'
    end
    redis.call('HSET', KEYS[4], unpack(fields))
  end
  redis.call('PEXPIRE', KEYS[4], ARGV[4])
end

local function publish(channel, to)
  redis.call('PUBLISH', channel, '{"deliver":{"to":' .. to .. ',"command":' .. frame .. '}}')
end
if kind == 'all' then
  publish(KEYS[5], '"all"')
else
  local by_node = {}
  for _, target in ipairs(targets) do
    local node = string.match(target[2], '^(%S+) ')
    by_node[node] = by_node[node] or {}
    table.insert(by_node[node], target[1])
  end
  for node, ids in pairs(by_node) do publish(ARGV[5] .. node, '{"terminals":' .. cjson.encode(ids) .. '}') end
end
return { 'ok', #targets }
