-- uses: time
-- The store's name, and the number of its last command. A store that lacks a command that a node has seen of it gets the name `fresh`
-- and tells all nodes so: it is a replica that became the master before it had everything, or its disk was behind. `seen` is a number
-- that the store `known` has given; the numbers of a new store are greater. `found` is what EPOCH and SEQ have, if that was read before.
local function name_store(fresh, known, seen, found)
  found = found or redis.call('MGET', EPOCH, SEQ)
  local epoch, seq, seen = found[1], tonumber(found[2] or 0), tonumber(seen)
  -- The last number and its entry in the log are written in one step, so an equal number needs no look into the log.
  if epoch and epoch == known and seen ~= seq and seen > tonumber(redis.call('HGET', MARKS, 'trimmed') or 0)
    and #redis.call('XRANGE', LOG, seen .. '-0', seen .. '-0') == 0 then
    epoch = false
  end
  if epoch then return epoch, seq end
  seq = math.max(seq, now(), seen)
  redis.call('SET', EPOCH, fresh)
  redis.call('SET', SEQ, string.format('%.0f', seq))
  redis.call('SPUBLISH', BROADCAST, '"renamed"')
  return fresh, seq
end
