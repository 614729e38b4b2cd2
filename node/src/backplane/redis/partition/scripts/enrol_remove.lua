-- Removes an enrolment.
-- ARGV: id
-- Returns 1, or 0 if there is none
redis.call('ZREM', ENROLMENTS, ARGV[1])
return redis.call('DEL', ENROLMENT .. ARGV[1])
