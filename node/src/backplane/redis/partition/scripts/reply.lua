-- uses: levels, budget, epoch
-- Stores what targets last sent about a command, in place of what they sent before, for as long as the command is stored. JSON null is
-- what is shown where nothing is stored. Beyond the bound of all bytes replies are dropped.
-- ARGV: command, bound of all bytes, the epoch that gave the ordinals or '', the last number that the node has seen of it, name for a new
--       store, then ord, payload, ...: at most STEP_MAX
-- Returns how many were dropped for want of room. Nothing if the store has another epoch, or gets one now since it lacks that number.
if ARGV[3] ~= '' and name_store(ARGV[5], ARGV[3], ARGV[4]) ~= ARGV[3] then return false end
local command, dropped, added = COMMAND .. ARGV[1], 0, 0
local kind, list = unpack(redis.call('HMGET', command, 'kind', 'list'))
if not kind then return 0 end
local used = used_bytes()
for i = 6, #ARGV, 2 do
  local ord, payload = ARGV[i], ARGV[i + 1]
  local is_target = list and place_of(list, tonumber(ord)) or not list and redis.call('GETBIT', command .. ':targets', ord) == 1
  if is_target then
    local old = redis.call('HSTRLEN', command .. ':replies', ord)
    if payload == 'null' then
      redis.call('HDEL', command .. ':replies', ord)
      added = added - old - (old > 0 and REPLY_BYTES or 0)
    elseif used + added + #payload > tonumber(ARGV[2]) then
      dropped = dropped + 1
    else
      redis.call('HSET', command .. ':replies', ord, payload)
      added = added + #payload - old + (old > 0 and 0 or REPLY_BYTES)
    end
  end
end
if added ~= 0 then
  redis.call('HINCRBY', command, 'replied', added)
  redis.call('INCRBY', USED, added)
end
return dropped
