-- uses: held
-- What there is to do in the partition, one letter for each (due.rs): s sweep, c confirm, f finish what was begun unfinished_ms ago, a
-- forget terminals that are away, t tell that commands are done, m mend a node's sessions, if it holds others than `count` ones with this checksum.
local function due_upkeep(time, unfinished_ms, node, count, sum)
  local moment, due = string.format('%.0f', time), ''
  local function is_over(key, at) return redis.call('ZCOUNT', key, '-inf', at) > 0 end
  if is_over(ENDING, moment) or is_over(STORED, moment) or is_over(KEYS_DUE, moment) then due = due .. 's' end
  if redis.call('EXISTS', UNCONFIRMED) == 1 then due = due .. 'c' end
  if is_over(ACCEPTING, string.format('%.0f', time - unfinished_ms)) then due = due .. 'f' end
  if redis.call('EXISTS', TELLING) == 1 or is_over(SETTLED_HERE, string.format('%.0f', time - unfinished_ms)) then due = due .. 't' end
  if redis.call('BITPOS', AWAY, 1) >= 0 then due = due .. 'a' end
  if count ~= '' and (redis.call('BITCOUNT', HELD .. node) ~= tonumber(count) or checksum(redis.call('GET', HELD .. node) or '') ~= sum) then
    due = due .. 'm'
  end
  return due
end
