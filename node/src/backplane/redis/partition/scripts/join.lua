-- uses: changes, presence_event
-- Registers a session, unless it was registered before and has been replaced or ended by an operator since, and tells what it missed.
-- The last that registers is the newest, whatever the clocks of nodes say. It is registered first and what was missed is read after, in
-- one step: what is accepted later finds the session, and what was accepted before is found here.
--
-- A session joins more often than anything else happens in a store, so this counts calls of Redis (each costs as much as 5 to 10 lines), and
-- has ords and bits as text, since Redis takes longer to make a text of a number than to set a bit.
-- ARGV: terminal, node, session, protocol, record without these (JSON), process, and what most sessions lack, each '' or not there: will,
--       cursor's epoch, cursor's number, 'patient' if it has waited, 'again' if it was registered before
-- Returns {'nameless'} if another process has the node's name, {'ended REASON'}, {'fight TIMES'}, {'ordinals'} if no ord is free, or
-- {'ok ORD EPOCH NUMBER LOST ABOVE OPEN_FROM', missed...}. LOST is the number behind which broadcasts are gone ('' if none that the
-- cursor lacks, 'store' if the store is another). ABOVE and OPEN_FROM are for missed.lua; ABOVE is '' if all is told.
local terminal, node, session, protocol, record, process, will, cursor_epoch, cursor, patience, again = unpack(ARGV)
if will == '' then will = nil end
cursor_epoch, cursor = cursor_epoch or '', tonumber(cursor)

local holder, ended, epoch, number = unpack(redis.call('MGET', PROCESS .. node, ENDED .. session, EPOCH, SEQ))
if holder and holder ~= process then return { 'nameless' } end
if ended then return { 'ended ' .. ended } end
if not epoch or not number then
  -- with: time
  redis.call('SET', SEQ, string.format('%.0f', now()), 'NX')
  redis.call('SET', EPOCH, string.sub(redis.sha1hex(session), 1, 8), 'NX')
  epoch, number = unpack(redis.call('MGET', EPOCH, SEQ))
end

local ord = redis.call('HGET', ORDINALS, terminal)
local old, past
if ord then old, past = unpack(redis.call('HMGET', TERMINALS, ord, ord .. '+')) end
local has_place = cursor_epoch ~= '' and cursor_epoch == epoch and cursor <= tonumber(number)
local is_online_anew, reached, time = true, nil, nil
-- The line of a session that left has no node before its first space (leave.lua). Of others it is asked for whether they are held.
if old and string.sub(old, 1, 1) ~= ' ' then
  -- with: owner
  local old_node, old_session = owner(old)
  local is_held = old_node and holds(old_node, ord)
  local is_other = is_held and old_session ~= session
  if again == 'again' and is_other then return { 'ended replaced' } end

  -- Two clients that use one id replace each other without end: once that is a contest, the newcomer waits.
  if is_other and patience ~= 'patient' then
    -- with: time
    time = now()
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
        -- with: events, record_change
        emit_of('terminal.contested', terminal, '"address":' .. cjson.encode(cjson.decode(record).address))
        record_change(ord, CHANGE_CONTESTED, '-', time)
      end
      return { 'fight ' .. times }
    end
  end
  if is_held then
    -- with: sessions, dead
    if not has_place then reached = reached_of(old_node, ord) end
    release(ord, old_node)
    if is_other and old_node ~= node then
      local envelope = '{"replaced":{"terminal":"' .. terminal .. '","session":"' .. old_session .. '"}}'
      end_session(old_session, 'replaced', old_node, envelope)
    end
    -- A session that left, or whose end was told, has taken its will with it.
    if not will and string.find(old, ' will\n', 1, true) then redis.call('HDEL', WILLS, ord) end
    is_online_anew = is_other
  end
end

local is_new = not ord
if is_new then
  -- with: time, ordinals
  time = now()
  ord = new_ord(terminal, number, time)
  if not ord then return { 'ordinals' } end
end
-- Terminal and labels stand before the address, and in a record nothing but the labels is an object.
local labels_end = string.find(record, '},"address":"', 1, true)
local old_record = old and string.find(old, '\n', 1, true)
if not old or string.sub(old, old_record + 1, old_record + labels_end) ~= string.sub(record, 1, labels_end) then
  -- with: labels
  local given = not is_new and redis.call('HGET', GIVEN, ord)
  local is_other_label = relabel(ord, old and all_labels(string.sub(old, old_record + 1), given) or {}, all_labels(record, given))
  if is_other_label and old and CHANGES_MAX > 0 then
    -- with: time
    time = time or now()
    past = with_change(past, new_change(CHANGE_LABELS, 't', time))
  end
end
if is_online_anew then
  local told_at = emit_presence('terminal.online', terminal, '"node":"' .. node .. '"')
  if CHANGES_MAX > 0 then past = with_change(past, new_change(CHANGE_ONLINE, node, told_at)) end
end
-- The last close frame that told something stays (leave.lua). Its text is a JSON string, so the line ends there or with ` will`.
local last_close = old and string.match(old, '^%S* %S+ %S+( close [^\n]*")') or ''
local entry = node .. ' ' .. session .. ' ' .. protocol .. last_close .. (will and ' will\n' or '\n') .. record
if past then
  redis.call('HSET', TERMINALS, ord, entry, ord .. '+', past)
else
  redis.call('HSET', TERMINALS, ord, entry)
end
redis.call('SETBIT', HELD .. node, ord, '1')
if protocol == 'plain' then
  redis.call('SETBIT', PLAIN, ord, '1')
elseif old and string.find(old, '^%S* %S+ plain') then
  redis.call('SETBIT', PLAIN, ord, '0')
end
if will then redis.call('HSET', WILLS, ord, will) end

local lost = ''
if cursor_epoch ~= '' and not has_place then
  lost, cursor_epoch = 'store', ''
elseif cursor_epoch ~= '' then
  local mark = redis.call('HGET', MARKS, 'lost')
  if mark and cursor < tonumber(mark) then lost = mark end
end
local answer = 'ok ' .. ord .. ' ' .. epoch .. ' ' .. number .. ' ' .. lost .. ' '

-- Of `open`: what is beyond the cursor, or beyond where its last node had come, and a few before it whose acknowledgements may have been
-- lost on their way. A bit that is not set in UNCONFIRMED says that `open` has nothing for the terminal.
local is_open = redis.call('GETBIT', UNCONFIRMED, ord) == 1
if not is_open and redis.call('EXISTS', BACKLOG .. ord) == 0 then return { answer .. ' ' } end
-- with: time, missed
local open_from, whole = '', false
if is_open then
  local from = cursor
  if cursor_epoch == '' then
    from = reached or struct.unpack('>I8', redis.call('GETRANGE', LEFT, ord * 12, ord * 12 + 7))
  end
  local first = math.max(0, redis.call('ZCOUNT', OPEN, '-inf', from) - LOOK_BACK)
  open_from, whole = redis.call('ZRANGE', OPEN, first, first, 'WITHSCORES')[2] or '', first == 0
end
time = time or now()
local missed, above, of_open, looks = missed_after(ord, 0, open_from, number, protocol == 'plain' and 'sent' or 'acked', time)
if whole and above == '' and not of_open then redis.call('SETBIT', UNCONFIRMED, ord, '0') end
-- It has looked at many commands and found nothing, though UNCONFIRMED said that there is something: so UNCONFIRMED is likely older than what was
-- confirmed since, and other sessions would look in vain too. This one works on it, so that a few of them pay for all. What it looked
-- for may lie before where it began, so a round that ended lately is not followed by another one. Plain terminals, which acknowledge nothing,
-- always have something in UNCONFIRMED.
if looks >= VAIN_LOOKS_MAX and not of_open and protocol ~= 'plain'
  and (redis.call('EXISTS', CONFIRMED_TO) == 1 or redis.call('EXISTS', CONFIRM_REST) == 0) then
  -- with: confirm
  confirm_portion(time)
end
return { answer .. above .. ' ' .. open_from, unpack(missed) }
