-- What is stored, in bytes, is one number: `used`. A command's bytes are an upper bound of all that it will need, taken when it is accepted
-- and given back when it is forgotten: its hash and its entries in lists, and for each target its place, its states and times, and, if it is
-- named, its entry in a backlog. Replies, idempotency keys and events are added as they come.
local COMMAND_BYTES = 1500
local FEW_BYTES = 200
local MANY_BYTES = 16
local KEY_BYTES = 300
local REPLY_BYTES = 100

local function used_bytes() return tonumber(redis.call('GET', USED) or 0) end
