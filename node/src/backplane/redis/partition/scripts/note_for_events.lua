-- uses: events
-- Notes that a node is to be told of the next event, once (lib/events.lua). Nodes that are gone are taken out with the next event.
-- ARGV: node
if redis.call('SCARD', EVENT_WAITERS) >= EVENT_WAITERS_MAX then wake_event_waiters() end
redis.call('SADD', EVENT_WAITERS, ARGV[1])
if tonumber(redis.call('GET', EVENTS_IN) or 0) < EVENTS_AWAITED then redis.call('INCRBY', EVENTS_IN, string.format('%.0f', EVENTS_AWAITED)) end
