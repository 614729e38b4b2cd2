-- uses: budget, done
-- Stores what the home of a command has of it, of an import. Called twice it changes nothing more.
-- ARGV: id, frame, request, author, what must be confirmed, created, expires, cancelled_at or '', when it may be forgotten (ms), its place in the list of
--       commands, 'told' if its command.done was written or '', what became of each share (JSON), the number of shares with targets, of targets, of rejected ones, and of those
--       whose share came too late, then the partitions whose targets are settled
local id, home, settled = ARGV[1], HOME .. ARGV[1], #ARGV - 16
local bytes, before = #ARGV[2] + #ARGV[3] + COMMAND_BYTES, redis.call('HGET', home, 'bytes') or 0
redis.call('HSET', home, 'state', 'accepted', 'frame', ARGV[2], 'ask', ARGV[3], 'by', ARGV[4], 'confirm', ARGV[5], 'created', ARGV[6],
  'expires', ARGV[7], 'bytes', bytes, 'shares', ARGV[12], 'wanted', ARGV[13], 'of', ARGV[14], 'rejected', ARGV[15], 'late', ARGV[16],
  'settled', settled)
for i = 17, #ARGV do redis.call('HSET', home, 'settled:' .. ARGV[i], 1) end
if ARGV[8] ~= '' then redis.call('HSET', home, 'cancelled_at', ARGV[8]) end
if ARGV[11] == 'told' then
  redis.call('HSET', home, 'done', 1, 'told', 1)
elseif settled >= tonumber(ARGV[13]) then
  -- Its event was not written before the export, since its home had not heard of the last share yet. A time that does not differ from call to
  -- call is enough: the order in `telling` means nothing.
  end_at_home(id, ARGV[6])
else
  redis.call('ZADD', ENDING, ARGV[7], id)
end
redis.call('ZADD', HOMES, ARGV[10], id)
redis.call('ZADD', STORED, ARGV[9], id)
redis.call('INCRBY', USED, bytes - before)
