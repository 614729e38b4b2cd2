-- uses: time, confirm
-- Works out anew which terminals have something unconfirmed in `open`, some commands a call (confirm_portion), so that most sessions that join
-- need not look at `open`. However many nodes call, it does so every 2 s at most. Returns 1 if a round has ended, else 0.
if redis.call('EXISTS', UNCONFIRMED) == 0 or not redis.call('SET', CONFIRM_REST, 1, 'NX', 'PX', CONFIRM_REST_MS) then return 0 end
return confirm_portion(now()) and 1 or 0
