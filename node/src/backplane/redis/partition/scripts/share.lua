-- uses: time, named, full, budget, epoch, log, few, sweep, open, selection, base64
-- Takes this partition's share of a command that its home has begun: fixes the targets, numbers the share, stores it, and sends it. It
-- is taken once, and never refused: a target that can't be taken any more is rejected.
-- ARGV: id, frame, request, author, what must be confirmed, created, expires, 'skip' or 'queue', rate or '', name for a new store, known
--       name of the store, the last number seen of it, how long it is stored after it expired (ms), bound of the log, bound of a
--       backlog, then 'set' and an expression, or 'named' and at most STEP_MAX ids, or 'frozen' if freeze.lua has put the set together, how
--       many terminals were not registered then, and at most STEP_MAX of these
-- Returns {'ok', targets, rejected, epoch, number}, also if it was taken before, {'late'} if the command has expired, {'cancelled'}, or
--         {'thawed'} if the set is gone
local id, frame, ask, expires, skip, rate = ARGV[1], ARGV[2], ARGV[3], ARGV[7], ARGV[8] == 'skip', ARGV[9]
local time, command = now(), COMMAND .. ARGV[1]
local of, cancelled, rejected, known_number = unpack(redis.call('HMGET', command, 'of', 'cancelled_at', 'rejected', 'number'))
if of then return { 'ok', of, rejected or 0, redis.call('GET', EPOCH), known_number } end
if cancelled then return { 'cancelled' } end
if tonumber(expires) <= time then return { 'late' } end
local is_frozen, frozen = ARGV[16] == 'frozen', command .. ':frozen'
if is_frozen and redis.call('EXISTS', frozen) == 0 then return { 'thawed' } end
close_expired(time, 4)
sweep(time, 4)

local targets, refused, rejecting, set, bytes, kind = {}, {}, 0, nil, #frame + #ask + COMMAND_BYTES, ARGV[16] == 'named' and 'few' or 'many'
if kind == 'few' then
  local names = {}
  for i = 17, #ARGV do names[#names + 1] = ARGV[i] end
  local found, unknown = find_named(names, true, time)
  local full, is_full = full_backlogs(found, tonumber(ARGV[15]), time), {}
  for _, name in ipairs(unknown) do refused[#refused + 1] = { name, 'unknown' } end
  for _, name in ipairs(full) do is_full[name] = true end
  for _, target in ipairs(found) do
    if is_full[target.id] then
      refused[#refused + 1] = { target.id, 'full' }
    elseif skip and not target.node then
      refused[#refused + 1] = { target.id, 'offline' }
    else
      targets[#targets + 1] = target
    end
  end
  of, rejecting = #targets, #refused
  bytes = bytes + of * FEW_BYTES
else
  set = is_frozen and frozen or select_set(ARGV[17], time)
  if set and skip then redis.call('BITOP', 'AND', command .. ':targets', set, online_set(time)) end
  if set and not skip then redis.call('BITOP', 'AND', command .. ':targets', set, KNOWN) end
  drop_tmp()
  of = redis.call('BITCOUNT', command .. ':targets')
  if is_frozen then
    -- Who was forgotten, or went offline, since the set was put together. At most STEP_MAX are named.
    local lost = TMP .. 'lost'
    redis.call('BITOP', 'XOR', lost, frozen, command .. ':targets')
    rejecting = redis.call('BITCOUNT', lost) + ARGV[17]
    for i = 18, #ARGV do refused[#refused + 1] = { ARGV[i], 'unknown' } end
    local ord, rest = redis.call('BITPOS', lost, 1), STEP_MAX
    while ord >= 0 and rest > 0 do
      local name = string.match(redis.call('HGET', TERMINALS, ord) or '', '\n{"terminal":"([^"]+)"')
      local reason = redis.call('GETBIT', KNOWN, ord) == 1 and 'offline' or 'unknown'
      if name then refused[#refused + 1] = { name, reason } end
      ord, rest = redis.call('BITPOS', lost, 1, ord + 1, -1, 'BIT'), rest - 1
    end
    redis.call('DEL', lost, frozen)
  end
  bytes = bytes + of * MANY_BYTES + redis.call('STRLEN', command .. ':targets') * (#LEVELS + 1)
end

local epoch, seq = name_store(ARGV[10], ARGV[11], ARGV[12])
-- A share without targets has no number: it is not in the log.
local number = of > 0 and string.format('%.0f', math.max(seq + 1, time)) or '0'
if of > 0 then log_command(number, id, kind, expires, tonumber(ARGV[14]), time) end
redis.call('HSET', command, 'frame', frame, 'ask', ask, 'by', ARGV[4], 'confirm', ARGV[5], 'kind', kind, 'number', number, 'created',
  ARGV[6], 'expires', expires, 'of', of, 'bytes', bytes, 'share', 1)
if #refused > 0 then redis.call('HSET', command, 'rejected', rejecting, 'refused', cjson.encode(refused)) end
redis.call('ZADD', STORED, string.format('%.0f', expires + ARGV[13]), id)
redis.call('INCRBY', USED, bytes)
if of == 0 then return { 'ok', 0, rejecting, epoch, number } end

if kind == 'few' then
  redis.call('HSET', command, 'list', packed_list(targets))
  for _, target in ipairs(targets) do redis.call('ZADD', BACKLOG .. target.ord, number, id) end
  send_few(targets, epoch, number, rate, frame)
else
  redis.call('ZADD', OPEN, number, id .. ' ' .. expires)
  redis.call('ZADD', ENDING, expires, id)
  redis.call('BITOP', 'OR', UNCONFIRMED, UNCONFIRMED, command .. ':targets')
  local to = '"all"'
  if ARGV[17] ~= 'all\n' then to = '{"bits":"' .. base64(redis.call('GET', command .. ':targets')) .. '"}' end
  local prev = redis.call('HGET', MARKS, 'broadcast') or 0
  redis.call('SPUBLISH', BROADCAST, '{"deliver":{"epoch":"' .. epoch .. '","number":' .. number .. ',"prev":' .. prev .. ',"to":' .. to ..
    (rate ~= '' and ',"rate":' .. rate .. ',"of":' .. of or '') .. ',"command":' .. frame .. '}}')
  redis.call('HSET', MARKS, 'broadcast', number)
end
return { 'ok', of, rejecting, epoch, number }
