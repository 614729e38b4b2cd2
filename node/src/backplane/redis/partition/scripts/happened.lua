-- uses: events
-- Writes events that terminals reported.
-- ARGV: for each event its kind, its terminal, and what follows in its object: '"name":"door","payload":1'
for i = 1, #ARGV, 3 do emit_of(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
