-- uses: time, sweep, open
-- Closes commands for many that have expired, and forgets what may be forgotten: at most 64 of each, and commands for few with at most
-- STEP_MAX targets and one command more.
-- Returns how many commands and keys were forgotten.
local time = now()
close_expired(time, 64)
return sweep(time, 64) + sweep_keys(time, 64)
