-- A command whose targets are named: stored in its hash, in the backlogs of its targets, and sent to the nodes that hold them.

-- The ordinals of the targets, 4 bytes each, ascending. A target's place in this list is its place in the states.
local function packed_list(targets)
  local packed = {}
  for i, target in ipairs(targets) do packed[i] = struct.pack('>I4', target.ord) end
  return table.concat(packed)
end

-- Sends an envelope to a node's inbox, for these of its terminals. `prev` is the number of the last command in the same inbox: a node that
-- has not seen that one has missed something.
local function send_to(node, ids, prev, epoch, number, rate, frame)
  local share = rate ~= '' and ',"rate":' .. string.format('%.17g', rate) or ''
  redis.call('SPUBLISH', INBOX .. node, '{"deliver":{"epoch":"' .. epoch .. '","number":' .. number .. ',"prev":' .. (prev or 0) ..
    ',"to":{"terminals":["' .. ids .. '"]}' .. share .. ',"command":' .. frame .. '}}')
end

-- Each node gets one envelope, with the terminals whose sessions it holds and its share of the rate.
local function send_few(targets, epoch, number, rate, frame)
  local by_node, online = {}, 0
  for _, target in ipairs(targets) do
    local node = target.node
    if node then
      by_node[node] = by_node[node] or {}
      table.insert(by_node[node], target.id)
      online = online + 1
    end
  end
  for node, ids in pairs(by_node) do
    local prev = redis.call('SET', LAST_IN .. node, number, 'GET')
    send_to(node, table.concat(ids, '","'), prev, epoch, number, rate ~= '' and rate * #ids / online or '', frame)
  end
  return online
end
