-- uses: time, presence
-- Writes the counters of this minute, as minutes.rs reads them, unless that was done: how many terminals there are of each kind, and what
-- happened since the last time. A minute has its place in a ring of MINUTES_MAX, so a minute that nobody writes leaves an old one there.
-- Returns 1 if they were written, else 0.
local time = now()
local minute = math.floor(time / 60000)
local at = minute % MINUTES_MAX * MINUTE_BYTES
if redis.call('GETRANGE', MINUTES, at, at + 3) == struct.pack('>I4', minute) then return 0 end
local values, online = { minute }, online_set(time)
for _, set in ipairs({ KNOWN, online, stale_set(time, online), DEGRADED, FAILING }) do values[#values + 1] = redis.call('BITCOUNT', set) end
drop_tmp()
for i, number in ipairs(redis.call('HMGET', COUNTED, unpack(COUNTERS))) do
  if COUNTERS[i] == 'accepted' then number = redis.call('GET', ACCEPTED) end
  values[#values + 1] = math.min(tonumber(number or 0), 4294967295)
end
redis.call('DEL', COUNTED, ACCEPTED)
redis.call('SETRANGE', MINUTES, at, struct.pack('>' .. string.rep('I4', #values), unpack(values)))
return 1
