-- Accepts a command, whole or not at all: freezes its targets, numbers it, stores it, and publishes it to every node or to the
-- nodes that hold its targets.
-- ARGV: ask (JSON: see `Ask` in accept.rs), frame, the request as it was asked for
-- Returns {'ok', targets, online, epoch, number} {'same', id} {'conflict', id} {'unknown', ids} {'offline', ids} {'full', ids} {'crowded', targets}
local ask, frame, request = cjson.decode(ARGV[1]), ARGV[2], ARGV[3]
local time = now()

-- An Idempotency-Key that was seen before.
if ask.key then
  local known = redis.call('GET', KEY .. ask.key)
  if known then
    local id, body = string.match(known, '^(%S+) (%S+)$')
    -- Written again as it is: who waits for replicas waits for what it wrote itself.
    redis.call('SET', KEY .. ask.key, known, 'KEEPTTL')
    return { body == ask.body and 'same' or 'conflict', id }
  end
end

local function owners(ids)
  local found = {}
  in_portions(ids, function(portion)
    for i, entry in ipairs(redis.call('HMGET', ONLINE, unpack(portion))) do
      if entry then found[portion[i]] = owner(entry) end
    end
  end)
  return found
end

-- Whom it is for.
local targets, named = nil, ask.terminals
if named then
  local unknown = {}
  for _, id in ipairs(named) do
    if redis.call('HEXISTS', TERMINALS, id) == 0 then unknown[#unknown + 1] = id end
  end
  if #unknown > 0 then return { 'unknown', unknown } end
  targets = named
elseif ask.labels then
  targets = redis.call('SINTER', unpack(ask.labels))
else
  targets = redis.call('ZRANGE', IDS, 0, -1)
end
local node_of = owners(targets)
if ask.skip then
  local present, absent = {}, {}
  for _, id in ipairs(targets) do
    local list = node_of[id] and present or absent
    list[#list + 1] = id
  end
  if named and #absent > 0 then return { 'offline', absent } end
  targets = present
end
local online = 0
for _ in pairs(node_of) do online = online + 1 end
if ask.dry then return { 'ok', #targets, online } end

-- Whether there is room. First what may be forgotten goes; then, for want of room, what has expired and is only kept to be looked up.
local function crowded() return tonumber(redis.call('GET', KEPT) or 0) + #targets > ask.max_targets end
local function forget(up_to, is_wanted)
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', COMMANDS, '-inf', up_to, 'LIMIT', 0, 100)) do
    if not is_wanted() then return end
    local id, count = string.match(entry, '^(%S+) (%d+)$')
    redis.call('DEL', COMMAND .. id, COMMAND .. id .. TARGETS, COMMAND .. id .. REPLIES)
    redis.call('ZREM', COMMANDS, entry)
    redis.call('DECRBY', KEPT, count)
  end
end
forget(time, function() return true end)
forget(time + ask.keep, crowded)
if crowded() then return { 'crowded', tonumber(redis.call('GET', KEPT)) } end

local to_all = not named and not ask.labels and not ask.rate
local function has_room(terminal)
  local key = BACKLOG .. terminal
  if redis.call('ZCARD', key) < ask.backlog then return true end
  for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    if not is_live(id, time) then redis.call('ZREM', key, id) end
  end
  return redis.call('ZCARD', key) < ask.backlog
end
if not to_all then
  local full = {}
  for _, id in ipairs(targets) do
    if not has_room(id) then full[#full + 1] = id end
  end
  if #full > 0 then return { 'full', full } end
end

-- Stored. A number is never less than the time, so that those of a store that was lost, or went back, are all smaller.
local epoch = name_store(ask.epoch, ask.known, ask.seen)
local number = math.max(tonumber(redis.call('GET', SEQ) or 0) + 1, time)
redis.call('SET', SEQ, string.format('%.0f', number))
local ttl, command = ask.expires + ask.keep - time, COMMAND .. ask.id
local to = to_all and 'all' or 'some'
redis.call('HSET', command, 'frame', frame, 'ask', request, 'to', to, 'expires', ask.expires, 'created', ask.created, 'queued', #targets)
if not to_all then redis.call('HSET', command, 'named', #targets > 0 and cjson.encode(targets) or '[]') end
if ask.rate then redis.call('HSET', command, 'rate', ask.rate) end
redis.call('PEXPIRE', command, ttl)
redis.call('ZADD', COMMANDS, ask.expires + ask.keep, ask.id .. ' ' .. #targets)
redis.call('INCRBY', KEPT, #targets)
in_portions(targets, function(portion)
  local fields = {}
  for _, id in ipairs(portion) do
    fields[#fields + 1] = id
    fields[#fields + 1] = 'queued'
  end
  redis.call('HSET', command .. TARGETS, unpack(fields))
end)
if #targets > 0 then redis.call('PEXPIRE', command .. TARGETS, ttl) end
if not to_all then
  for _, id in ipairs(targets) do
    local key = BACKLOG .. id
    redis.call('ZADD', key, number, ask.id)
    if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, ttl) end
  end
end
if ask.key then redis.call('SET', KEY .. ask.key, ask.id .. ' ' .. ask.body, 'PX', ask.key_ms) end

-- In the log, from which whoever missed it on the channel takes it. At its bound the oldest makes room: if that was a broadcast
-- that could still be asked for, its number is the mark `lost`, behind which a terminal is told of a gap.
local bound = redis.call('XLEN', LOG) >= ask.log
for _, entry in ipairs(redis.call('XRANGE', LOG, '-', '+', 'COUNT', 2)) do
  local fields = entry[2]
  local expired = tonumber(fields[6]) <= time
  if expired or bound then
    redis.call('XDEL', LOG, entry[1])
    local old = string.match(entry[1], '^(%d+)')
    redis.call('HSET', MARKS, 'trimmed', old)
    if fields[4] == 'all' then redis.call('ZREM', TO_ALL, fields[2] .. ' ' .. fields[6]) end
    if not expired and fields[4] == 'all' then redis.call('HSET', MARKS, 'lost', old) end
  else
    break
  end
end
redis.call('XADD', LOG, number .. '-0', 'id', ask.id, 'to', to, 'expires', ask.expires)
if to_all then redis.call('ZADD', TO_ALL, number, string.format('%s %.0f', ask.id, ask.expires)) end

-- On its way. `prev` is the number of the last command on the same channel: who has not seen that one has missed something.
local function publish(channel, prev, audience, rate)
  redis.call('SPUBLISH', channel, '{"deliver":{"epoch":"' .. epoch .. '","number":' .. number .. ',"prev":' .. prev ..
    ',"to":' .. audience .. (rate and ',"rate":' .. rate or '') .. ',"command":' .. frame .. '}}')
end
if to_all then
  publish(BROADCAST, redis.call('HGET', MARKS, 'broadcast') or 0, '"all"')
  redis.call('HSET', MARKS, 'broadcast', number)
else
  local by_node = {}
  for _, id in ipairs(targets) do
    local node = node_of[id]
    if node then
      by_node[node] = by_node[node] or {}
      table.insert(by_node[node], id)
    end
  end
  for node, ids in pairs(by_node) do
    -- Each node sends its share of the rate.
    local rate = ask.rate and ask.rate * #ids / online
    publish(INBOX .. node, redis.call('HGET', INBOXES, node) or 0, '{"terminals":' .. cjson.encode(ids) .. '}', rate)
    redis.call('HSET', INBOXES, node, number)
  end
end
return { 'ok', #targets, online, epoch, string.format('%.0f', number) }
