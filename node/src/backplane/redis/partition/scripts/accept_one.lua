-- uses: time, stamp, named, budget, epoch, log, few
-- Accepts a command for named terminals of this partition, whole or not at all: fixes its targets, numbers it, stores it, and sends it
-- to the nodes that hold its targets.
-- ARGV: id, 'again' if it may have been accepted before, frame (JSON without its opening brace and without expires_at), request (JSON
--       without the payload), author, time until it expires (ms), 'skip' or 'queue', rate or '', idempotency key or '', hash of the
--       body, how long the key is stored (ms), name for a new store, known name of the store, the last number seen of it, how long
--       it is stored after it expired (ms), bound of the log, bound of a backlog, bound of all bytes, what must be
--       confirmed, then the ids of at most STEP_MAX terminals
-- Returns {'ok', targets, online, epoch, number, created, expires} {'same', id} {'conflict', id} {'unknown', ids} {'offline', ids}
--         {'full', ids} {'no_room', bytes}
local id, ask, author, skip, rate, key, body = ARGV[1], ARGV[4], ARGV[5], ARGV[7] == 'skip', ARGV[8], ARGV[9], ARGV[10]
local keep, time, command = tonumber(ARGV[15]), now(), COMMAND .. ARGV[1]

-- A number of milliseconds as text. Redis and Lua take several times as long for a number that may have a fraction.
local function digits(ms) return string.format('%d%03d', ms / 1000, ms % 1000) end

local used_before = key ~= '' and redis.call('GET', KEY .. key)
if used_before then
  local first, first_body = string.match(used_before, '^(%S+) (%S+)')
  -- Written again as it is: a node that waits for replicas waits for what it wrote itself.
  redis.call('SET', KEY .. key, used_before, 'KEEPTTL')
  return { first_body == body and 'same' or 'conflict', first }
end
if ARGV[2] == 'again' and redis.call('EXISTS', command) == 1 then return { 'same', id } end

local names = {}
for i = 20, #ARGV do names[#names + 1] = ARGV[i] end
local targets, unknown = find_named(names, skip or rate ~= '', time)
if #unknown > 0 then return { 'unknown', unknown } end
if skip then
  local absent = ids_of(targets, false)
  if #absent > 0 then return { 'offline', absent } end
end

local created, expires = digits(time), digits(time + ARGV[6])
local frame = '{"expires_at":"' .. stamp(time + ARGV[6]) .. '",' .. ARGV[3]
local bytes = #frame + #ask + COMMAND_BYTES + FEW_BYTES * #targets
-- About every eighth command sweeps for all of them.
if time % 8 == 0 then
  -- with: open, sweep
  close_expired(time, 16)
  sweep(time, 16)
end
local backlog_max, bytes_max, may_be_full = tonumber(ARGV[17]), tonumber(ARGV[18]), false
for _, target in ipairs(targets) do may_be_full = may_be_full or redis.call('ZCARD', BACKLOG .. target.ord) >= backlog_max end
if may_be_full then
  -- with: full
  local full = full_backlogs(targets, backlog_max, time)
  if #full > 0 then return { 'full', full } end
end
-- The node that gets a command for one terminal.
local node = #targets == 1 and targets[1].node
local found = redis.call('MGET', EPOCH, SEQ, USED, ACCEPTED, LAST_IN .. (node or ''))
local used, accepted = tonumber(found[3] or 0), tonumber(found[4] or 0)
if used + bytes > bytes_max then
  -- with: sweep
  local has_room
  has_room, used = make_room(bytes, bytes_max, time, keep)
  if not has_room then return { 'no_room', used } end
end

-- A number is never below the time, so that the numbers of a store that was lost, or went back, are all smaller.
local epoch, seq = name_store(ARGV[12], ARGV[13], ARGV[14], found)
local number = seq < time and created or digits(seq + 1)
local written = { USED, used + bytes, ACCEPTED, accepted + 1, node and LAST_IN .. node, number }
log_command(number, id, 'few', expires, tonumber(ARGV[16]), time, unpack(written, 1, node and 6 or 4))
redis.call('HSET', command, 'frame', frame, 'ask', ask, 'by', author, 'confirm', ARGV[19], 'kind', 'few', 'number', number, 'created', created,
  'expires', expires, 'of', #targets, 'bytes', bytes, 'list', packed_list(targets))
redis.call('ZADD', HOMES, number, id)
redis.call('ZADD', ENDING, expires, id)
redis.call('ZADD', STORED, digits(time + ARGV[6] + keep), id)
for _, target in ipairs(targets) do redis.call('ZADD', BACKLOG .. target.ord, number, id) end
if key ~= '' then
  -- with: sweep
  sweep_keys(time, 2)
  redis.call('SET', KEY .. key, id .. ' ' .. body)
  redis.call('ZADD', KEYS_DUE, string.format('%.0f', time + ARGV[11]), key)
  redis.call('INCRBY', USED, KEY_BYTES)
end
local online = node and 1 or 0
if node then
  send_to(node, targets[1].id, found[5], epoch, number, rate, frame)
elseif #targets > 1 then
  online = send_few(targets, epoch, number, rate, frame)
end
return { 'ok', #targets, online, epoch, number, created, expires }
