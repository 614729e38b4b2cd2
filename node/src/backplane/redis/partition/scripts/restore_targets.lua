-- uses: many_states
-- Adds targets to a command for many of an import, which restore_share.lua stores then. Called twice it changes nothing more.
-- ARGV: command, the first byte of the bitmaps, a bitmap of targets from there, a bitmap of each level in order or '', then bucket, entry of its
--       times, ...
local command, part = COMMAND .. ARGV[1], TMP .. 'part'

-- Returns how many were added.
local function add(key, bits)
  if bits == '' then return 0 end
  local before = redis.call('BITCOUNT', key)
  redis.call('SETRANGE', part, ARGV[2], bits)
  redis.call('BITOP', 'OR', key, key, part)
  redis.call('DEL', part)
  return redis.call('BITCOUNT', key) - before
end

local is_new = add(command .. ':targets', ARGV[3]) > 0
for level, state in ipairs(LEVELS) do add(command .. ':' .. state, ARGV[3 + level]) end
if is_new then add_times(command, 4 + #LEVELS, #ARGV) end
