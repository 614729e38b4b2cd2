-- Registers a session, unless it was registered before and has been replaced or ended by an operator since, and tells what it missed. The last that
-- registers is the newest, whatever the clocks of nodes say. Registered first and read after, in one step: what is accepted later
-- finds the session, what was accepted before is found here.
-- ARGV: record (JSON), will or '', cursor's epoch or '', cursor's number, 'plain' or '', 'patient' if it has waited, epoch for a
--       new store, time, 'again' if it was registered before, process
-- Returns {'nameless'} if another process has the node's name, {'ended', reason}, {'fight', times} or {'ok', epoch, number, lost,
-- missed...}, with `lost` the number behind which the log no longer reaches back to the cursor ('' if it does, 'store' if the store
-- is another), and each missed as `number id all|some`.
local record, will, cursor_epoch, cursor, at = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[8]
local card = cjson.decode(record)
local terminal, session, node = card.terminal, card.session, card.node
local plain, time = ARGV[5] == 'plain', now()

local process = redis.call('HGET', PROCESSES, node)
if process and process ~= ARGV[10] then return { 'nameless' } end
local ended = redis.call('GET', ENDED .. session)
if ended then return { 'ended', ended } end
local old_node, old_session = owner(redis.call('HGET', ONLINE, terminal))
if ARGV[9] == 'again' and old_session and old_session ~= session then return { 'ended', 'replaced' } end

-- Two clients that use one id replace each other without end: once that is a contest, the newcomer waits.
if old_session and old_session ~= session then
  if ARGV[6] ~= 'patient' then
    local fight = FIGHT .. terminal
    local times = redis.call('RPUSH', fight, time)
    while times > 1 and tonumber(redis.call('LINDEX', fight, 0)) <= time - CONTEST_WINDOW_MS do
      redis.call('LPOP', fight)
      times = times - 1
    end
    -- More than these make no newcomer wait longer.
    if times > FIGHT_MAX then redis.call('LPOP', fight) end
    redis.call('PEXPIRE', fight, CONTEST_WINDOW_MS)
    if times >= CONTESTED_AFTER then
      if times == CONTESTED_AFTER then
        emit('terminal.contested', '{"terminal":"' .. terminal .. '","at":"' .. at .. '","address":"' .. card.address .. '"}')
      end
      return { 'fight', times }
    end
  end
  if old_node ~= node then
    redis.call('SREM', HELD .. old_node, terminal)
    local envelope = '{"replaced":{"terminal":"' .. terminal .. '","session":"' .. old_session .. '"}}'
    end_session(old_session, 'replaced', old_node, envelope)
  end
end

local old = redis.call('HGET', TERMINALS, terminal)
-- Where it stood, if it has no cursor: as far as its last node had come.
local since = tonumber(old_node and redis.call('HGET', REACHED, old_node) or redis.call('HGET', SINCE, terminal) or 0)
if old ~= record then
  if old then unlabel(terminal, old) end
  label(terminal, record)
  redis.call('HSET', TERMINALS, terminal, record)
end
redis.call('HSET', ONLINE, terminal, node .. ' ' .. session)
redis.call('ZADD', IDS, 0, terminal)
redis.call('SADD', HELD .. node, terminal)
redis.call('ZADD', PULSE, time, terminal)
redis.call('ZREM', AWAY, terminal)
if will ~= '' then redis.call('HSET', WILLS, terminal, will) else redis.call('HDEL', WILLS, terminal) end
if old_session ~= session then
  emit('terminal.online', '{"terminal":"' .. terminal .. '","at":"' .. at .. '","node":"' .. node .. '"}')
end

redis.call('SET', SEQ, time, 'NX')
redis.call('SET', EPOCH, ARGV[7], 'NX')
local number, epoch = tonumber(redis.call('GET', SEQ)), redis.call('GET', EPOCH)
local missed, lost = {}, ''

-- Its own: whatever it has not confirmed.
local backlog = redis.call('ZRANGE', BACKLOG .. terminal, 0, -1, 'WITHSCORES')
for i = 1, #backlog, 2 do
  if is_live(backlog[i], time) then
    missed[#missed + 1] = { tonumber(backlog[i + 1]), backlog[i], 'some' }
  else
    redis.call('ZREM', BACKLOG .. terminal, backlog[i])
  end
end

-- Broadcasts: those after the cursor, and a few before it whose acknowledgement may have been lost on its way: so many broadcasts,
-- whatever else was accepted between them. A terminal is a target of nothing that was accepted before it became known: one that was
-- forgotten is new, though commands from before still list it.
if cursor_epoch ~= '' and (cursor_epoch ~= epoch or cursor > number) then
  lost, cursor_epoch = 'store', ''
elseif cursor_epoch ~= '' and cursor < tonumber(redis.call('HGET', MARKS, 'lost') or 0) then
  lost = redis.call('HGET', MARKS, 'lost')
end
local resent = RESENT[plain and 'plain' or 'v1']
local function wanted(id)
  local state = redis.call('HGET', COMMAND .. id .. TARGETS, terminal)
  state = state and string.match(state, '^%S+')
  return resent[state] and is_live(id, time)
end
if not old then redis.call('HSET', KNOWN, terminal, number) end
local known_since = tonumber(redis.call('HGET', KNOWN, terminal) or 0)
if old then
  local from = string.format('%.0f', cursor_epoch == epoch and cursor or since)
  local before = redis.call('ZRANGE', TO_ALL, from, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, LOOK_BACK, 'WITHSCORES')
  if #before > 0 then from = before[#before] end
  local found = redis.call('ZRANGE', TO_ALL, from, '+inf', 'BYSCORE', 'WITHSCORES')
  for i = 1, #found, 2 do
    local id, expires = string.match(found[i], '^(%S+) (%d+)$')
    if tonumber(found[i + 1]) > known_since and tonumber(expires) > time and wanted(id) then
      missed[#missed + 1] = { tonumber(found[i + 1]), id, 'all' }
    end
  end
end
table.sort(missed, function(one, other) return one[1] < other[1] end)
local answer = { 'ok', epoch, number, lost }
for _, entry in ipairs(missed) do answer[#answer + 1] = string.format('%.0f %s %s', entry[1], entry[2], entry[3]) end
return answer
