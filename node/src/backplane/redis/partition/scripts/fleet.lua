-- uses: time, presence
-- Counts all terminals. Returns {known, online, stale, degraded, failing, 1 if there are more labels than are counted, nodes, then node and its sessions for each of these, then label
-- and its terminals for the first STEP_MAX labels}. Those that are online may be stale.
local time = now()
local online, nodes = online_set(time), live_nodes(time)
local answer = {}
for _, set in ipairs({ KNOWN, online, stale_set(time, online), DEGRADED, FAILING }) do
  answer[#answer + 1] = redis.call('BITCOUNT', set)
end
drop_tmp()
answer[#answer + 1] = 0
local more = #answer
answer[#answer + 1] = #nodes
for _, node in ipairs(nodes) do
  answer[#answer + 1] = node
  answer[#answer + 1] = redis.call('BITCOUNT', HELD .. node)
end
local room = STEP_MAX
for _, key in ipairs(redis.call('ZRANGE', LABEL_KEYS, 0, -1)) do
  for _, value in ipairs(redis.call('ZRANGE', VALUES .. key, 0, room)) do
    if room == 0 then
      answer[more] = 1
      break
    end
    local set = LABEL .. key .. '=' .. value
    answer[#answer + 1] = key .. '=' .. value
    answer[#answer + 1] = redis.call('TYPE', set).ok == 'set' and redis.call('SCARD', set) or redis.call('BITCOUNT', set)
    room = room - 1
  end
  if answer[more] == 1 then break end
end
return answer
