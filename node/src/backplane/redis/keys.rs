//! The names of keys that Rust uses, without what [`RedisKeys`](muster_protocol::redis_keys::RedisKeys) puts before them;
//! scripts/names.lua says what each is, and has those that only scripts use.

use muster_protocol::{CommandId, SessionId};

pub const TERMINALS: &str = "terminals";
pub const IDS: &str = "ids";
pub const ONLINE: &str = "online";
pub const PULSE: &str = "pulse";
pub const GIVEN: &str = "given";
pub const SEEN: &str = "seen";
pub const HEALTH: &str = "health";
pub const LABEL: &str = "label:";
pub const LABELS: &str = "labels";
pub const CONDITION: &str = "condition:";
pub const HELD: &str = "held:";
pub const EVENTS: &str = "events";
pub const EPOCH: &str = "epoch";
pub const SEQ: &str = "seq";
pub const LOG: &str = "log";
pub const MARKS: &str = "marks";

pub fn ended(session: SessionId) -> String {
    format!("ended:{session}")
}

pub fn command(id: CommandId) -> String {
    format!("command:{id}")
}

pub fn targets(id: CommandId) -> String {
    format!("command:{id}:targets")
}

pub fn replies(id: CommandId) -> String {
    format!("command:{id}:replies")
}
