-- uses: time, stamp, budget, sweep
-- Stores a command at its home as accepting, with its times, before the partitions take their shares.
-- ARGV: id, frame (JSON without its opening brace and without expires_at), request (JSON without the payload), author, what must be
--       confirmed, time until it expires (ms), idempotency key or '', hash of the body, how long the key is stored (ms), how long the
--       command is stored after it expired (ms), bound of all bytes, the number of targets of each partition as it was surveyed (JSON)
-- Returns {'ok', frame, created, expires} {'same', id} {'conflict', id} {'no_room', bytes}
local id, ask, key, time, home = ARGV[1], ARGV[3], ARGV[7], now(), HOME .. ARGV[1]
local keep = tonumber(ARGV[10])
local used_before = key ~= '' and redis.call('GET', KEY .. key)
if used_before then
  local first, first_body = string.match(used_before, '^(%S+) (%S+)')
  -- Written again as it is: a node that waits for replicas waits for what it wrote itself.
  redis.call('SET', KEY .. key, used_before, 'KEEPTTL')
  return { first_body == ARGV[8] and 'same' or 'conflict', first }
end
local created, expires = string.format('%.0f', time), string.format('%.0f', time + ARGV[6])
local frame = '{"expires_at":"' .. stamp(time + ARGV[6]) .. '",' .. ARGV[2]
local bytes = #frame + #ask + COMMAND_BYTES
local has_room, used = make_room(bytes, tonumber(ARGV[11]), time, keep)
if not has_room then return { 'no_room', used } end
redis.call('HSET', home, 'state', 'accepting', 'frame', frame, 'ask', ask, 'by', ARGV[4], 'confirm', ARGV[5], 'created', created,
  'expires', expires, 'bytes', bytes, 'shares', ARGV[12])
redis.call('ZADD', ACCEPTING, created, id)
redis.call('ZADD', HOMES, created, id)
redis.call('ZADD', ENDING, expires, id)
redis.call('ZADD', STORED, string.format('%.0f', expires + keep), id)
redis.call('INCRBY', USED, bytes)
if key ~= '' then
  sweep_keys(time, 2)
  redis.call('SET', KEY .. key, id .. ' ' .. ARGV[8])
  redis.call('ZADD', KEYS_DUE, string.format('%.0f', time + ARGV[9]), key)
  redis.call('INCRBY', USED, KEY_BYTES)
end
return { 'ok', frame, created, expires }
