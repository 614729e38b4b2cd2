-- uses: time, named, full, budget, sweep, open, selection
-- Tells whether this partition would accept its share of a command, and for how many targets. Nothing that a command needs is changed;
-- what has expired may be forgotten for want of room.
-- ARGV: 'skip' or 'queue', bound of a backlog, bound of all bytes, bytes of frame and request, how long a command is stored after it
--       expired (ms), '' if nothing is to be stored, else 'store', then 'set' and an expression (selection.lua), or 'named' and at most
--       STEP_MAX ids, or 'frozen' and a portion of at most STEP_MAX ids of a command for many
-- Returns {'ok', targets, online} {'unknown', ids} {'offline', ids} {'full', ids} {'open', commands} {'no_room', bytes}, or what select_set refuses with
local skip, time, store = ARGV[1] == 'skip', now(), ARGV[6] ~= ''
local of, online, bytes = 0, 0, ARGV[4] + COMMAND_BYTES
if ARGV[7] ~= 'set' then
  local is_few = ARGV[7] == 'named'
  local names = {}
  for i = 8, #ARGV do names[#names + 1] = ARGV[i] end
  local targets, unknown = find_named(names, true, time)
  if #unknown > 0 then return { 'unknown', unknown } end
  local absent = ids_of(targets, false)
  if skip and #absent > 0 then return { 'offline', absent } end
  local full = store and is_few and full_backlogs(targets, tonumber(ARGV[2]), time) or {}
  if #full > 0 then return { 'full', full } end
  of, online = #targets, #targets - #absent
  if is_few then
    bytes = bytes + of * FEW_BYTES
  else
    bytes = bytes + of * MANY_BYTES + redis.call('STRLEN', KNOWN) * (#LEVELS + 1)
    if store and of > 0 and is_open_full(time) then return { 'open', redis.call('ZCARD', OPEN) } end
  end
else
  local set, refusal = select_set(ARGV[8], time)
  if not set then return refusal end
  local present = new_tmp()
  redis.call('BITOP', 'AND', present, set, online_set(time))
  online = redis.call('BITCOUNT', present)
  of = skip and online or redis.call('BITCOUNT', set)
  bytes = bytes + of * MANY_BYTES + redis.call('STRLEN', set) * (#LEVELS + 1)
  drop_tmp()
  if store and of > 0 and is_open_full(time) then return { 'open', redis.call('ZCARD', OPEN) } end
end
if store then
  local has_room, used = make_room(bytes, tonumber(ARGV[3]), time, tonumber(ARGV[5]))
  if not has_room then return { 'no_room', used } end
end
return { 'ok', of, online }
