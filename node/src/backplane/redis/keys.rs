//! The names of things in Redis that Rust uses; scripts/names.lua says what each is, and has those that only scripts use. All share one
//! hash tag ([`muster_redis::TAG`]), which alone tells a Redis Cluster where a script runs.

use muster_protocol::{CommandId, NodeId};

pub const TERMINALS: &str = "{muster}:terminals";
pub const IDS: &str = "{muster}:ids";
pub const ONLINE: &str = "{muster}:online";
pub const PULSE: &str = "{muster}:pulse";
pub const GIVEN: &str = "{muster}:given";
pub const SEEN: &str = "{muster}:seen";
pub const HEALTH: &str = "{muster}:health";
pub const LABEL: &str = "{muster}:label:";
pub const LABELS: &str = "{muster}:labels";
pub const CONDITION: &str = "{muster}:condition:";
pub const HELD: &str = "{muster}:held:";
pub const NODES: &str = "{muster}:nodes";
pub const EVENTS: &str = "{muster}:events";
pub const EPOCH: &str = "{muster}:epoch";
pub const SEQ: &str = "{muster}:seq";
pub const LOG: &str = "{muster}:log";
pub const MARKS: &str = "{muster}:marks";
pub const BROADCAST: &str = "{muster}:broadcast";

pub fn lease(node: &NodeId) -> String {
    format!("{{muster}}:node:{node}")
}

pub fn inbox(node: &NodeId) -> String {
    format!("{{muster}}:inbox:{node}")
}

pub fn command(id: CommandId) -> String {
    format!("{{muster}}:command:{id}")
}

pub fn targets(id: CommandId) -> String {
    format!("{{muster}}:command:{id}:targets")
}

pub fn replies(id: CommandId) -> String {
    format!("{{muster}}:command:{id}:replies")
}
