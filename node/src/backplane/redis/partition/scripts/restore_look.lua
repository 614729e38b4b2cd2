-- uses: time, presence
-- Whether a store can be imported here. Returns {1 if anything is stored in the partition, else 0, then nodes that hold a lease, at most 500}
local answer = { 0 }
for _, key in ipairs({ EPOCH, SEQ, ORDINALS, NAMES, TERMINALS, NEXT_ORD, LOG, HOMES, STORED, KEYS_DUE, EVENTS, NODES }) do
  if redis.call('EXISTS', key) == 1 then answer[1] = 1 end
end
for _, node in ipairs(live_nodes(now())) do
  if redis.call('EXISTS', LEASE .. node) == 1 then answer[#answer + 1] = node end
end
return answer
