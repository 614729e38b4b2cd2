-- uses: time, budget, sweep, rollouts
-- Adds a portion to the targets of a rollout, and replaces its record, which says how far it has come.
-- ARGV: id, revision that is replaced, record (JSON), event (JSON) or '', bound of all bytes, how long a command is stored after it
--       expired (ms), then of at most STEP_MAX targets the place in the order and the terminal
-- Returns {'ok'} {'other'} {'no_room', bytes}
local id, key = ARGV[1], ROLLOUT .. ARGV[1]
if redis.call('HGET', key, 'revision') ~= ARGV[2] then return { 'other' } end
if #ARGV > 6 then
  local bytes = (#ARGV - 6) / 2 * ROLLOUT_TARGET_BYTES
  local has_room, used = make_room(bytes, tonumber(ARGV[5]), now(), tonumber(ARGV[6]))
  if not has_room then return { 'no_room', used } end
  local added = redis.call('ZADD', key .. ':targets', unpack(ARGV, 7))
  redis.call('HINCRBY', key, 'target_bytes', added * ROLLOUT_TARGET_BYTES)
  redis.call('INCRBY', USED, added * ROLLOUT_TARGET_BYTES)
end
save_rollout(id, ARGV[2], ARGV[3], ARGV[4])
return { 'ok' }
