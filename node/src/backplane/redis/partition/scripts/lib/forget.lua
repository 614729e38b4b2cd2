-- uses: sessions, labels
-- How long a freed ord rests at least.
local REST_MS = 600000

-- Forgets a terminal: its record, its labels and what waits for it. The ord keeps the name, since commands have it among their
-- targets, and rests until the last command that is stored now may be forgotten.
local function forget_terminal(ord, terminal, entry, time)
  local old_node = owner(entry)
  if old_node then release(ord, old_node) end
  relabel(ord, all_labels(string.match(entry, '\n(.*)'), redis.call('HGET', GIVEN, ord)), {})
  redis.call('HDEL', ORDINALS, terminal)
  redis.call('ZREM', NAMES, terminal)
  for _, bitmap in ipairs({ KNOWN, AWAY, DEGRADED, FAILING, PLAIN, UNCONFIRMED }) do redis.call('SETBIT', bitmap, ord, 0) end
  for _, hash in ipairs({ WILLS, GIVEN, HEALTH }) do redis.call('HDEL', hash, ord) end
  redis.call('SETRANGE', SEEN, ord * 8, string.rep('\0', 8))
  redis.call('DEL', BACKLOG .. ord, FIGHT .. ord)
  redis.call('HSET', TERMINALS, ord, '\n{"terminal":"' .. terminal .. '"}')
  redis.call('HDEL', TERMINALS, ord .. '+')
  local last = redis.call('ZRANGE', STORED, -1, -1, 'WITHSCORES')
  local until_time = math.max(time + REST_MS, tonumber(last[2] or 0))
  redis.call('RPUSH', FREED, string.format('%d %.0f', ord, until_time))
end
