-- uses: time, owner, changes
-- Registers a session, unless it was registered before and has been replaced or ended by an operator since, and tells what it missed.
-- The last that registers is the newest, whatever the clocks of nodes say. It is registered first and what was missed is read after, in
-- one step: what is accepted later finds the session, and what was accepted before is found here.
-- ARGV: terminal, node, session, protocol, record without these (JSON), labels as they are in the record, will or '', cursor's epoch or
--       '', cursor's number, 'patient' if it has waited, epoch for a new store, 'again' if it was registered before, process
-- Returns {'nameless'} if another process has the node's name, {'ended', reason}, {'fight', times}, {'ordinals'} if no ord is free, or
-- {'ok', ord, epoch, number, lost, above, open_from, missed...}. `lost` is the number behind which broadcasts are gone ('' if none that
-- the cursor lacks, 'store' if the store is another). `above` and `open_from` are for missed.lua; `above` is '' if all is told.
local terminal, node, session, plain, record = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == 'plain', ARGV[5]
local cursor_epoch, cursor, time = ARGV[8], tonumber(ARGV[9]), now()

local process = redis.call('HGET', PROCESSES, node)
if process and process ~= ARGV[13] then return { 'nameless' } end
local ended, epoch, number = unpack(redis.call('MGET', ENDED .. session, EPOCH, SEQ))
if ended then return { 'ended', ended } end
if not epoch or not number then
  redis.call('SET', SEQ, string.format('%.0f', time), 'NX')
  redis.call('SET', EPOCH, ARGV[11], 'NX')
  epoch, number = unpack(redis.call('MGET', EPOCH, SEQ))
end

local ord = redis.call('HGET', ORDINALS, terminal)
local old, past
if ord then old, past = unpack(redis.call('HMGET', TERMINALS, ord, ord .. '+')) end
local old_node, old_session = owner(old)
local is_held = old_node and holds(old_node, ord)
local is_other = is_held and old_session ~= session
if ARGV[12] == 'again' and is_other then return { 'ended', 'replaced' } end

-- Two clients that use one id replace each other without end: once that is a contest, the newcomer waits.
if is_other and ARGV[10] ~= 'patient' then
  local fight = FIGHT .. ord
  local times = redis.call('RPUSH', fight, time)
  while times > 1 and tonumber(redis.call('LINDEX', fight, 0)) <= time - CONTEST_WINDOW_MS do
    redis.call('LPOP', fight)
    times = times - 1
  end
  -- More than these make no newcomer wait longer.
  if times > CONTEST_MAX then redis.call('LPOP', fight) end
  redis.call('PEXPIRE', fight, CONTEST_WINDOW_MS)
  if times >= CONTESTED_AFTER then
    if times == CONTESTED_AFTER then
      -- with: events
      emit_of('terminal.contested', terminal, '"address":' .. cjson.encode(cjson.decode(record).address))
      -- with: record_change
      record_change(ord, CHANGE_CONTESTED, '-', time)
    end
    return { 'fight', times }
  end
end
local has_place = cursor_epoch == epoch and cursor <= tonumber(number)
local reached
if is_held then
  -- with: sessions, dead
  if not has_place then reached = reached_of(old_node, ord) end
  release(ord, old_node)
  if is_other and old_node ~= node then
    local envelope = '{"replaced":{"terminal":"' .. terminal .. '","session":"' .. old_session .. '"}}'
    end_session(old_session, 'replaced', old_node, envelope)
  end
end

local is_new = not ord
if is_new then
  -- with: ordinals
  ord = new_ord(terminal, number, time)
  if not ord then return { 'ordinals' } end
end
-- In a record nothing but the labels is an object, so this text can't stand elsewhere in it.
local has_labels = old and string.find(old, '"labels":' .. ARGV[6] .. ',"', 1, true)
if not has_labels then
  -- with: labels
  local given = not is_new and redis.call('HGET', GIVEN, ord)
  local is_other_label = relabel(ord, old and all_labels(string.match(old, '\n(.*)'), given) or {}, all_labels(record, given))
  if is_other_label and old and CHANGES_MAX > 0 then past = with_change(past, new_change(CHANGE_LABELS, 't', time)) end
end
local is_online_anew = not is_held or is_other
if is_online_anew and CHANGES_MAX > 0 then past = with_change(past, new_change(CHANGE_ONLINE, node, time)) end
local entry = node .. ' ' .. session .. ' ' .. ARGV[4] .. '\n' .. record
if past then
  redis.call('HSET', TERMINALS, ord, entry, ord .. '+', past)
else
  redis.call('HSET', TERMINALS, ord, entry)
end
redis.call('SETBIT', HELD .. node, ord, 1)
redis.call('SETBIT', STALE .. node, ord, 0)
redis.call('SETBIT', AWAY, ord, 0)
if ARGV[7] ~= '' then redis.call('HSET', WILLS, ord, ARGV[7]) else redis.call('HDEL', WILLS, ord) end
if is_online_anew then
  -- with: events
  emit_of('terminal.online', terminal, '"node":"' .. node .. '"')
end

local lost = ''
if cursor_epoch ~= '' and not has_place then
  lost, cursor_epoch = 'store', ''
elseif cursor_epoch ~= '' then
  local mark = redis.call('HGET', MARKS, 'lost')
  if mark and cursor < tonumber(mark) then lost = mark end
end

-- Of `open`: what is beyond the cursor, or beyond where its last node had come, and a few before it whose acknowledgements may have been
-- lost on their way. A bit that is not set in UNCONFIRMED says that `open` has nothing for the terminal.
local is_open = redis.call('GETBIT', UNCONFIRMED, ord) == 1
if not is_open and redis.call('EXISTS', BACKLOG .. ord) == 0 then return { 'ok', ord, epoch, number, lost, '', '' } end
-- with: missed
local open_from, whole = '', false
if is_open then
  local from = cursor
  if cursor_epoch == '' then
    from = reached or struct.unpack('>I8', redis.call('GETRANGE', SINCE, ord * 8, ord * 8 + 7))
  end
  local first = math.max(0, redis.call('ZCOUNT', OPEN, '-inf', from) - LOOK_BACK)
  open_from, whole = redis.call('ZRANGE', OPEN, first, first, 'WITHSCORES')[2] or '', first == 0
end
local missed, above, of_open = missed_after(ord, 0, open_from, number, plain and 'sent' or 'acked', time)
if whole and above == '' and not of_open then redis.call('SETBIT', UNCONFIRMED, ord, 0) end
return { 'ok', ord, epoch, number, lost, above, open_from, unpack(missed) }
