-- uses: held
-- What there is to do in the partition, one letter for each (due.rs): s sweep, c confirm, f finish what was begun unfinished_ms ago, a
-- forget terminals that are away, t tell that commands are done, m mend a node's sessions, if `count` is given and the bitmap of those that the
-- registry has does not have this checksum.
local function due_upkeep(time, unfinished_ms, node, count, sum)
  local moment, due = string.format('%.0f', time), ''
  local function is_over(key, at) return redis.call('ZCOUNT', key, '-inf', at) > 0 end
  if is_over(ENDING, moment) or is_over(STORED, moment) or is_over(KEYS_DUE, moment) then due = due .. 's' end
  -- Most partitions have none of these.
  if redis.call('EXISTS', UNCONFIRMED, ACCEPTING, TELLING, SETTLED_HERE) > 0 then
    local begun = string.format('%.0f', time - unfinished_ms)
    if redis.call('EXISTS', UNCONFIRMED) == 1 then due = due .. 'c' end
    if is_over(ACCEPTING, begun) then due = due .. 'f' end
    if redis.call('EXISTS', TELLING) == 1 or is_over(SETTLED_HERE, begun) then due = due .. 't' end
  end
  if redis.call('BITPOS', AWAY, 1) >= 0 then due = due .. 'a' end
  if count ~= '' and checksum(redis.call('GET', HELD .. node) or '') ~= sum then due = due .. 'm' end
  return due
end
