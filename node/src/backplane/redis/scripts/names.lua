-- What every script begins with: the names of things in Redis, each said once (keys.rs has those that Rust uses), and a few words.
-- scripts.rs renders what stands before this: PREFIX and CHANNELS, as protocol/src/redis_keys.rs has them, and the values of the rules
-- in backplane/rules.rs (EVENTS_MAX, LOOK_BACK, CONTESTED_AFTER, ENDED_MS, CONTEST_WINDOW_MS, FIGHT_MAX, RANK, RESENT). All names
-- share one hash tag, so that a Redis Cluster keeps them together and a script may touch any of them.
local TERMINALS = PREFIX .. 'terminals'   -- hash, terminal to the record of its last session
local IDS       = PREFIX .. 'ids'         -- sorted set, all terminal ids, for pages in their order
local ONLINE    = PREFIX .. 'online'      -- hash, terminal to `node session`
local PULSE     = PREFIX .. 'pulse'       -- sorted set, terminals on the line by when they were last heard, in milliseconds
local AWAY      = PREFIX .. 'away'        -- sorted set, terminals off the line by since when, in milliseconds
local SINCE     = PREFIX .. 'since'       -- hash, terminal to the number up to which its last session had everything
local KNOWN     = PREFIX .. 'known_since' -- hash, terminal to the number of the last command that was accepted before it became known
local REACHED   = PREFIX .. 'reached'     -- hash, node to the number up to which it has passed everything on
local ENDED     = PREFIX .. 'ended:'      -- + session: why it was ended (replaced, disconnected or removed), until its node has ended it
local WILLS     = PREFIX .. 'wills'       -- hash, terminal to what is published if it is lost
local GIVEN     = PREFIX .. 'given'       -- hash, terminal to the labels that operators gave it
local SEEN      = PREFIX .. 'seen'        -- hash, terminal to `milliseconds rtt` of its last pong
local HEALTH    = PREFIX .. 'health'      -- hash, terminal to what it last said of its health
local LABEL     = PREFIX .. 'label:'      -- + key=value: set of terminals
local LABELS    = PREFIX .. 'labels'      -- set, every key=value that is in use
local CONDITION = PREFIX .. 'condition:'  -- + degraded, failing: set of terminals
local HELD      = PREFIX .. 'held:'       -- + node: set of the terminals whose sessions it holds
local NODES     = PREFIX .. 'nodes'       -- sorted set, nodes by the end of their leases, in milliseconds
local LEASE     = PREFIX .. 'node:'       -- + node: its view as JSON, gone when the lease ran out
local PROCESSES = PREFIX .. 'processes'   -- hash, node to the process that holds its lease: one name is one process
local CLAIMS    = PREFIX .. 'claims'      -- hash, node to the name of its lease: another one each time that it had lost it
local EVENTS    = PREFIX .. 'events'      -- stream, bounded
local EPOCH     = PREFIX .. 'epoch'       -- string, the name of this store; another after its loss, or that of its last commands
local SEQ       = PREFIX .. 'seq'         -- counter, the number of the last accepted command
local LOG       = PREFIX .. 'log'         -- stream, one entry a command (id, to, expires), its number the id; bounded
local TO_ALL    = PREFIX .. 'to_all'      -- sorted set, `id expires` of each command in the log that is for all, by number
local MARKS     = PREFIX .. 'marks'       -- hash, `broadcast`: the last one's number; `lost`, `trimmed`: see accept.lua
local INBOXES   = PREFIX .. 'inboxes'     -- hash, node to the number of the last command that its inbox got
local COMMANDS  = PREFIX .. 'commands'    -- sorted set, `id targets` by when it may be forgotten, in milliseconds
local KEPT      = PREFIX .. 'kept'        -- counter, the targets of all of these
local COMMAND   = PREFIX .. 'command:'    -- + id: hash: frame, ask, to (all or some), named, rate, created, expires, cancelled_at, counts by state
local TARGETS   = ':targets'             -- COMMAND id +: hash, terminal to `state` and the times of its steps
local REPLIES   = ':replies'             -- COMMAND id +: hash, terminal to what it last said of the command
local BACKLOG   = PREFIX .. 'backlog:'    -- + terminal: sorted set, commands meant for it and not confirmed, by number
local KEY       = PREFIX .. 'key:'        -- + an Idempotency-Key: `id` and the hash of its body
local FIGHT     = PREFIX .. 'fight:'      -- + terminal: list, when its sessions replaced each other lately, in milliseconds
local BROADCAST = CHANNELS .. 'broadcast'   -- shard channel that every node listens to
local INBOX     = CHANNELS .. 'inbox:'      -- + node: its channel

-- A call takes only so many arguments from a script.
local PORTION = 1000

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Whether a command may still be sent.
local function is_live(id, time)
  local expires, cancelled = unpack(redis.call('HMGET', COMMAND .. id, 'expires', 'cancelled_at'))
  return expires and tonumber(expires) > time and not cancelled
end

local function emit(kind, data)
  redis.call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_MAX, '*', 'kind', kind, 'data', data)
end

-- The store's name. One that lacks a command that a node has seen of it is another from now on, and tells all nodes so: a replica
-- that became the master before it had everything, or a disk that was behind. `seen` is a number that the store `known` has given;
-- those of a new store are greater.
local function name_store(fresh, known, seen)
  local epoch = redis.call('GET', EPOCH)
  if epoch and epoch == known and tonumber(seen) > tonumber(redis.call('HGET', MARKS, 'trimmed') or 0)
    and #redis.call('XRANGE', LOG, seen .. '-0', seen .. '-0') == 0 then
    epoch = false
  end
  if epoch then return epoch end
  redis.call('SET', EPOCH, fresh)
  redis.call('SET', SEQ, string.format('%.0f', math.max(tonumber(redis.call('GET', SEQ) or 0), now(), tonumber(seen))))
  redis.call('SPUBLISH', BROADCAST, '"renamed"')
  return fresh
end

-- The node and the session that an entry of ONLINE names.
local function owner(entry)
  if not entry then return nil, nil end
  return string.match(entry, '^(%S+) (%S+)$')
end

-- Ends a session, for this reason, on the node that holds it. The node is told by its inbox. A node that does not listen finds the
-- reason when it listens again (catch_up.rs), or when the session joins again (join.lua).
local function end_session(session, reason, node, envelope)
  redis.call('SET', ENDED .. session, reason, 'PX', ENDED_MS)
  if node then redis.call('SPUBLISH', INBOX .. node, envelope) end
end

local function in_portions(list, visit)
  for from = 1, #list, PORTION do
    local portion = {}
    for i = from, math.min(from + PORTION - 1, #list) do portion[#portion + 1] = list[i] end
    visit(portion)
  end
end

-- What a terminal says of itself, overruled by what operators say of it.
local function labels_of(terminal, record)
  local labels = cjson.decode(record).labels
  local given = redis.call('HGET', GIVEN, terminal)
  for key, value in pairs(given and cjson.decode(given) or {}) do labels[key] = value end
  return labels
end

local function unlabel(terminal, record)
  for key, value in pairs(labels_of(terminal, record)) do
    local label = key .. '=' .. value
    redis.call('SREM', LABEL .. label, terminal)
    if redis.call('EXISTS', LABEL .. label) == 0 then redis.call('SREM', LABELS, label) end
  end
end

local function label(terminal, record)
  for key, value in pairs(labels_of(terminal, record)) do
    redis.call('SADD', LABEL .. key .. '=' .. value, terminal)
    redis.call('SADD', LABELS, key .. '=' .. value)
  end
end

-- Off the line, for this reason; its will is published if it did not leave by itself. Its node, which is told nothing, had passed
-- on everything up to this number.
local function part(terminal, node, reason, at, lost, number)
  redis.call('HSET', SINCE, terminal, number)
  redis.call('HDEL', ONLINE, terminal)
  redis.call('SREM', HELD .. node, terminal)
  redis.call('ZREM', PULSE, terminal)
  redis.call('ZADD', AWAY, now(), terminal)
  local head = '{"terminal":"' .. terminal .. '","at":"' .. at .. '",'
  emit('terminal.offline', head .. '"reason":"' .. reason .. '"}')
  local will = redis.call('HGET', WILLS, terminal)
  redis.call('HDEL', WILLS, terminal)
  if will and lost then emit('terminal.event', head .. '"name":"will","payload":' .. will .. '}') end
end

-- A node is gone, for this reason, and with it the sessions that are still its own. Returns how many they were.
local function bury(node, reason, at)
  local count, reached = 0, redis.call('HGET', REACHED, node) or 0
  for _, terminal in ipairs(redis.call('SMEMBERS', HELD .. node)) do
    if owner(redis.call('HGET', ONLINE, terminal)) == node then
      part(terminal, node, reason, at, true, reached)
      count = count + 1
    end
  end
  redis.call('DEL', HELD .. node, LEASE .. node)
  redis.call('ZREM', NODES, node)
  redis.call('HDEL', INBOXES, node)
  redis.call('HDEL', REACHED, node)
  redis.call('HDEL', CLAIMS, node)
  redis.call('HDEL', PROCESSES, node)
  return count
end

local function forget_terminal(terminal)
  local record = redis.call('HGET', TERMINALS, terminal)
  if not record then return 0 end
  unlabel(terminal, record)
  local node = owner(redis.call('HGET', ONLINE, terminal))
  if node then redis.call('SREM', HELD .. node, terminal) end
  for _, hash in ipairs({ TERMINALS, ONLINE, SINCE, KNOWN, WILLS, GIVEN, SEEN, HEALTH }) do redis.call('HDEL', hash, terminal) end
  for _, sorted in ipairs({ IDS, PULSE, AWAY }) do redis.call('ZREM', sorted, terminal) end
  for _, condition in ipairs({ 'degraded', 'failing' }) do redis.call('SREM', CONDITION .. condition, terminal) end
  redis.call('DEL', BACKLOG .. terminal, FIGHT .. terminal)
  return 1
end
