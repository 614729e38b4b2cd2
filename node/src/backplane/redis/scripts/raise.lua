-- Raises targets of a command to a state. States only rise. Each step keeps the first time that is told; the time of the end is that
-- of the final state that counts, so a final state that replaces a lower one brings its own time. What is no target is none.
-- Returns how many rose.
-- ARGV: command, state, 'settled' if the terminal will not confirm any more than this, then terminal, milliseconds since the
--       command was accepted, ...
local STEP = { 's', 'a', 'r', 'e' }
local END = #STEP
local id, state, rank = ARGV[1], ARGV[2], RANK[ARGV[2]]
local command, step = COMMAND .. id, ' ' .. STEP[math.min(rank, END)]
local to = redis.call('HGET', command, 'to')
if not to then return 0 end
local settled = to == 'some' and (rank >= 2 or ARGV[3] == 'settled')

local from, rose = {}, 0
for i = 4, #ARGV, 2 do
  local terminal = ARGV[i]
  local value = redis.call('HGET', command .. TARGETS, terminal)
  if value then
    local old, next = string.match(value, '^%S+'), value
    if rank > RANK[old] and RANK[old] >= END then next = string.gsub(next, ' e%d+', '') end
    if not string.find(next, step, 1, true) then next = next .. step .. ARGV[i + 1] end
    if RANK[old] < rank then
      next = state .. string.sub(next, #old + 1)
      from[old] = (from[old] or 0) + 1
      rose = rose + 1
    end
    if next ~= value then redis.call('HSET', command .. TARGETS, terminal, next) end
    if settled then redis.call('ZREM', BACKLOG .. terminal, id) end
  end
end
for old, count in pairs(from) do redis.call('HINCRBY', command, old, -count) end
if rose > 0 then
  local now = redis.call('HINCRBY', command, state, rose)
  emit('command.state', '{"command":"' .. id .. '","state":"' .. state .. '","terminals":' .. rose .. ',"of":' .. now .. '}')
end
return rose
