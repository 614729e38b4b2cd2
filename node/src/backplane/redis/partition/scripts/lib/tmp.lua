-- Bitmaps that live within this script. drop_tmp() deletes them; every way out of a script that made some calls it.
local TMPS = {}

local function new_tmp()
  TMPS[#TMPS + 1] = string.format('%s%d', TMP, #TMPS)
  return TMPS[#TMPS]
end

local function drop_tmp()
  if #TMPS > 0 then redis.call('DEL', unpack(TMPS)) end
  TMPS = {}
end
