-- uses: time, levels
-- Commands of this home, the newest first. It looks at 512 at most.
-- ARGV: where the page before ended or '', name or '', author or '', the id of a terminal
--       or '', 'open', 'done', 'cancelled' or '', the most commands
-- Returns {where this page ended, '' if there is no more, id, ...}
local before, name, author, terminal, state, limit = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local time, answer, next_before = now(), {}, ''
local ord = terminal ~= '' and tonumber(redis.call('HGET', ORDINALS, terminal) or -1)

local function value(id, field) return redis.call('HGET', HOME .. id, field) or redis.call('HGET', COMMAND .. id, field) end

local function state_of(id)
  if value(id, 'cancelled_at') then return 'cancelled' end
  if value(id, 'done') or tonumber(value(id, 'expires') or 0) <= time then return 'done' end
  return 'open'
end

-- Whether a terminal is a target. A command with shares elsewhere may have it there: its request tells who was named.
local function is_for(id)
  local kind, list = unpack(redis.call('HMGET', COMMAND .. id, 'kind', 'list'))
  if kind == 'few' and list and place_of(list, ord) then return true end
  if kind == 'many' and ord >= 0 and redis.call('GETBIT', COMMAND .. id .. ':targets', ord) == 1 then return true end
  return not not string.find(redis.call('HGET', HOME .. id, 'ask') or '', '"' .. terminal .. '"', 1, true)
end

local function is_wanted(id)
  if name ~= '' and cjson.decode(value(id, 'ask') or '{}').name ~= name then return false end
  if author ~= '' and value(id, 'by') ~= author then return false end
  if terminal ~= '' and not is_for(id) then return false end
  return state == '' or state_of(id) == state
end

-- Commands with the same number are in descending order of their ids.
local number, last_id = string.match(before, '^(%d+) (%S+)$')
local found = redis.call('ZRANGE', HOMES, number or '+inf', '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, STEP_MAX, 'WITHSCORES')
for i = 1, #found, 2 do
  local id = found[i]
  if not number or tonumber(found[i + 1]) < tonumber(number) or id < last_id then
    next_before = found[i + 1] .. ' ' .. id
    if is_wanted(id) then answer[#answer + 1] = id end
    if #answer == limit then break end
  end
end
if #found < 2 * STEP_MAX and #answer < limit then next_before = '' end
return { next_before, unpack(answer) }
