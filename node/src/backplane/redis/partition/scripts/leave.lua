-- uses: changes, reason_text, presence_event
-- Unregisters a session, if it is still the terminal's: the terminal goes offline, for this reason. Returns 1 if it was, else 0.
-- ARGV: terminal, session, node, reason, the number up to which it had everything, 'lost' if its will is to be published or '', and if a close
--       frame ended it: what the event tells of the frame (',"code":1009'), the text of the change, and if its terminal's line is to keep the
--       frame: 'REASON CODE TEXT', where TEXT is a JSON string
local terminal, session, node, reason, _, _, told, change, close = unpack(ARGV)
redis.call('DEL', ENDED .. session)
local ord = redis.call('HGET', ORDINALS, terminal)
if not ord then return 0 end
local entry, past = unpack(redis.call('HMGET', TERMINALS, ord, ord .. '+'))
local begin = node .. ' ' .. session .. ' '
if not entry or string.sub(entry, 1, #begin) ~= begin then return 0 end
-- One call takes the bit out and tells whether it was there.
if redis.call('SETBIT', HELD .. node, ord, '0') == 0 then
  -- Nobody is told a second time of a dead node's session: not of this one any more, and not if bury.lua was here before.
  local is_untold = redis.call('GETBIT', DEAD .. node, ord) == 1
  if is_untold then redis.call('SETBIT', DEAD .. node, ord, '0') end
  -- The call before makes the bitmap if it is not there.
  if redis.call('BITPOS', HELD .. node, 1) < 0 then redis.call('DEL', HELD .. node) end
  if not is_untold then return 0 end
end
if redis.call('EXISTS', STALE .. node) == 1 then redis.call('SETBIT', STALE .. node, ord, '0') end

local time = emit_presence('terminal.offline', terminal, '"reason":"' .. reason .. '"' .. (told or ''))
redis.call('SETRANGE', LEFT, ord * 12, struct.pack('>I8I4', tonumber(ARGV[5]), math.floor(time / 1000)))
redis.call('SETBIT', AWAY, ord, '1')
-- Without its node the line says that the session is not held (join.lua).
local left = string.sub(entry, #node + 1)
if close then
  local words, rest = string.match(left, '^( %S+ %S+)[^\n]*(\n.*)$')
  if words then left = words .. ' close ' .. math.floor(time / 1000) .. ' ' .. close .. rest end
end
if CHANGES_MAX > 0 then
  redis.call('HSET', TERMINALS, ord, left, ord .. '+', with_change(past, new_change(CHANGE_OFFLINE, reason_text(change or reason), time)))
else
  redis.call('HSET', TERMINALS, ord, left)
end
if string.find(entry, ' will\n', #begin, true) then
  local will = redis.call('HGET', WILLS, ord)
  redis.call('HDEL', WILLS, ord)
  if will and ARGV[6] == 'lost' then
    -- with: events
    emit_of('terminal.event', terminal, '"name":"will","payload":' .. will)
  end
end
return 1
