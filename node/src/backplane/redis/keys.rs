//! The names of things in Redis. All share one hash tag, so that a script may touch any of them together.

use muster_protocol::{CommandId, NodeId};

/// Hash, terminal to the [`Record`](crate::backplane::Record) of its last session. Never shrinks by itself.
pub const TERMINALS: &str = "{muster}:terminals";
/// Sorted set of all terminal ids, for pages in their order.
pub const IDS: &str = "{muster}:ids";
/// Hash, terminal to `node session` of the session that is on the line: the index by which a command finds its node.
pub const ONLINE: &str = "{muster}:online";
/// Hash, terminal to `milliseconds rtt` of its last pong.
pub const SEEN: &str = "{muster}:seen";
/// Hash, terminal to what it last said of its health.
pub const HEALTH: &str = "{muster}:health";
/// Sorted set of node ids by the end of their leases, in milliseconds of Redis's clock.
pub const NODES: &str = "{muster}:nodes";
/// Stream of events, bounded.
pub const EVENTS: &str = "{muster}:events";
/// Channel that every node listens to.
pub const BROADCAST: &str = "{muster}:broadcast";
/// What comes before `key=value` in the names of the sets of terminals by label.
pub const LABEL: &str = "{muster}:label:";
/// What comes before a node's id in the names of the sets of terminals by node.
pub const HELD: &str = "{muster}:held:";
/// What comes before a node's id in the name of its channel.
pub const INBOX: &str = "{muster}:inbox:";

/// String, a node's view as JSON; gone when the lease ran out.
pub fn lease(node: &NodeId) -> String {
    format!("{{muster}}:node:{node}")
}

/// Set of the terminals that a node holds, for whoever finds it dead.
pub fn held(node: &NodeId) -> String {
    format!("{HELD}{node}")
}

/// The channel of one node.
pub fn inbox(node: &NodeId) -> String {
    format!("{INBOX}{node}")
}

/// Hash of a command: its frame, when it was accepted, and how many targets are in each state.
pub fn command(id: CommandId) -> String {
    format!("{{muster}}:command:{id}")
}

/// Hash, terminal to its state as a target of a command.
pub fn targets(id: CommandId) -> String {
    format!("{{muster}}:command:{id}:targets")
}
