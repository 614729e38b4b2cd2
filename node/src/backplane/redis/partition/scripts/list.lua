-- uses: time, levels
-- Commands of this home, the newest first. It looks at 512 at most, and at 1 MiB of requests and one.
-- ARGV: where the page before ended or '', the name as a request has it (JSON) or '', author or '', the id of a terminal or '', 'open',
--       'done', 'cancelled' or '', the most commands
-- Returns {where this page ended, '' if there is no more, 'number id bytes-of-its-request', ...}
local REQUESTS_MAX = 1048576
local before, name, author, terminal, state, limit = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local time, answer, next_before, requests = now(), {}, '', 0
local ord = terminal ~= '' and tonumber(redis.call('HGET', ORDINALS, terminal) or -1)

-- What is stored of a command. At the home of a command with shares only the home knows whether all of it is done.
local function is_wanted(id)
  local fields = { 'expires', 'cancelled_at', 'done', 'by' }
  local key = HOME .. id
  local has = redis.call('HMGET', key, unpack(fields))
  local has_shares = has[1]
  if not has_shares then
    key = COMMAND .. id
    has = redis.call('HMGET', key, unpack(fields))
  end
  local bytes = redis.call('HSTRLEN', key, 'ask')
  if author ~= '' and has[4] ~= author then return false, 0 end
  local is = has[2] and 'cancelled' or (has[3] or tonumber(has[1] or 0) <= time) and 'done' or 'open'
  if state ~= '' and state ~= is then return false, 0 end
  if name == '' and terminal == '' then return true, bytes end
  local ask = redis.call('HGET', key, 'ask') or ''
  if name ~= '' and not string.find(ask, '},"name":' .. name .. ',"payload":', 1, true) then return false, bytes end
  if terminal == '' then return true, bytes end
  -- Of a command with shares only the partition of the terminal knows, unless its terminals are named.
  if has_shares then
    local is_named = string.find(ask, '{"target":{"terminal', 1, true) == 1
    return not is_named or string.find(ask, '"' .. terminal .. '"', 1, true) ~= nil, bytes
  end
  local list = redis.call('HGET', key, 'list')
  return list and place_of(list, ord) ~= nil, bytes
end

-- Commands with the same number are in descending order of their ids.
local number, last_id = string.match(before, '^(%d+) (%S+)$')
local found = redis.call('ZRANGE', HOMES, number or '+inf', '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, STEP_MAX, 'WITHSCORES')
local looked = 0
for i = 1, #found, 2 do
  local id = found[i]
  looked = i + 1
  if not number or tonumber(found[i + 1]) < tonumber(number) or id < last_id then
    next_before = found[i + 1] .. ' ' .. id
    local wanted, bytes = is_wanted(id)
    requests = requests + bytes
    if wanted then answer[#answer + 1] = next_before .. ' ' .. bytes end
    if #answer == limit or requests > REQUESTS_MAX then break end
  end
end
if #found < 2 * STEP_MAX and looked >= #found then next_before = '' end
return { next_before, unpack(answer) }
