-- Notices. NOTICES has the record of each. NOTICE has the messages of one that wait, by id, and beside it `:due` when each is due and
-- `:attempts` the last attempts.

-- Adds of each notice its record, the number and bytes of what waits, and the number of messages that found no room.
local function add_notices(answer)
  local all = redis.call('HGETALL', NOTICES)
  for i = 1, #all, 2 do
    answer[#answer + 1] = all[i + 1]
    answer[#answer + 1] = tostring(redis.call('HLEN', NOTICE .. all[i]))
    answer[#answer + 1] = redis.call('HGET', NOTICES_BYTES, all[i]) or '0'
    answer[#answer + 1] = redis.call('HGET', NOTICES_LOST, all[i]) or '0'
  end
end
