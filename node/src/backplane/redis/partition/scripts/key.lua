-- uses: time, budget, sweep
-- An idempotency key of a command that is accepted in another partition. It is reserved for an id, the command is accepted by that id,
-- and then the key is confirmed, or released if the command was refused. Whoever finds it reserved for the same body asks for the
-- command again by its id, which is accepted once. From then on the key is 'shared': it is not released any more, since one of the two
-- may be refused and the other not, and a third would get another id in between.
-- ARGV: 'look', 'reserve', 'confirm' or 'release', key, id, hash of the body, how long the key is stored (ms), bound of all bytes, how long a
--       command is stored after it expired (ms)
-- Returns {'reserved', id} {'same', id} {'conflict', id} {'no_room', bytes}; of confirm and release {'ok'}; of a look at a key that is
-- not used {'ok'}
local step, name, id, body, time = ARGV[1], ARGV[2], ARGV[3], ARGV[4], now()
local known = redis.call('GET', KEY .. name)
local first, first_body, state
if known then first, first_body, state = string.match(known, '^(%S+) (%S+) ?(%S*)$') end

local function store(value)
  if not known then redis.call('INCRBY', USED, KEY_BYTES) end
  redis.call('SET', KEY .. name, value)
  redis.call('ZADD', KEYS_DUE, string.format('%.0f', time + ARGV[5]), name)
end

if step == 'confirm' then
  -- Also if it was released meanwhile by another who asked with the same id, and was refused.
  if not known or first == id then store(id .. ' ' .. body) end
  return { 'ok' }
end
if step == 'release' then
  if known and first == id and state == 'reserved' then forget_key(name) end
  return { 'ok' }
end
if known then
  -- Written again: a node that waits for replicas waits for what it wrote itself.
  local is_reserved = state == 'reserved' or state == 'shared'
  if step == 'reserve' and is_reserved and first_body == body then known = first .. ' ' .. body .. ' shared' end
  redis.call('SET', KEY .. name, known, 'KEEPTTL')
  if first_body ~= body then return { 'conflict', first } end
  return { is_reserved and 'reserved' or 'same', first }
end
if step == 'look' then return { 'ok' } end
sweep_keys(time, 2)
local has_room, used = make_room(KEY_BYTES, tonumber(ARGV[6]), time, tonumber(ARGV[7]))
if not has_room then return { 'no_room', used } end
store(id .. ' ' .. body .. ' reserved')
return { 'reserved', id }
