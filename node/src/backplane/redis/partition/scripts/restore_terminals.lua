-- uses: labels
-- Registers terminals of an import, at most 64 a call, each under the ord that it is given. Called twice it changes nothing more.
-- ARGV: until when the ords of forgotten terminals rest (ms), then nine values a terminal: ord, terminal, 1 if it is registered or 0 if it was
--       forgotten, entry, labels that operators gave or '', health or '', condition or '', eight bytes of when it was last heard or '', when it
--       left (s)
local function free(ord, terminal)
  if redis.call('HEXISTS', TERMINALS, ord) == 1 then return end
  redis.call('HSET', TERMINALS, ord, '\n{"terminal":"' .. terminal .. '"}')
  redis.call('RPUSH', FREED, ord .. ' ' .. ARGV[1])
end

local function register(ord, terminal, entry, given, health, condition, seen, left)
  redis.call('HSET', ORDINALS, terminal, ord)
  redis.call('ZADD', NAMES, 0, terminal)
  redis.call('SETBIT', KNOWN, ord, 1)
  redis.call('SETBIT', AWAY, ord, 1)
  relabel(ord, {}, all_labels(string.match(entry, '\n(.*)'), given ~= '' and given))
  redis.call('HSET', TERMINALS, ord, entry)
  if given ~= '' then redis.call('HSET', GIVEN, ord, given) end
  if health ~= '' then redis.call('HSET', HEALTH, ord, health) end
  if string.find(entry, '^%S* %S+ plain') then redis.call('SETBIT', PLAIN, ord, 1) end
  if condition == 'degraded' then redis.call('SETBIT', DEGRADED, ord, 1) end
  if condition == 'failing' then redis.call('SETBIT', FAILING, ord, 1) end
  if #seen == 8 then redis.call('SETRANGE', SEEN, ord * 8, seen) end
  -- It has had nothing of this store (the number 0), so it is told of all that is open and that it has not confirmed.
  redis.call('SETRANGE', LEFT, ord * 12, struct.pack('>I8I4', 0, tonumber(left)))
end

for i = 2, #ARGV, 9 do
  local ord, terminal, is_known = ARGV[i], ARGV[i + 1], ARGV[i + 2] == '1'
  local registered = redis.call('HGET', ORDINALS, terminal)
  -- A terminal that was forgotten and came back while the store was exported is there twice. The second ord is a target of nothing.
  if is_known and (not registered or registered == ord) then
    register(ord, terminal, unpack(ARGV, i + 3, i + 8))
  else
    free(ord, terminal)
  end
end
if #ARGV > 1 then
  local after = ARGV[#ARGV - 8] + 1
  if tonumber(redis.call('GET', NEXT_ORD) or 0) < after then redis.call('SET', NEXT_ORD, string.format('%.0f', after)) end
end
