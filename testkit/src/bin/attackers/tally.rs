//! What attackers did, and what came back.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

use super::kind::AttackKind;

/// How a connection of an attacker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttackEnd {
    /// The server answered a request with this status, and there was no more to do.
    Status(u16),
    /// The server sent a close frame with this code.
    Close(u16),
    /// The server closed the connection without a word.
    Closed,
    /// The connection broke.
    Reset,
    /// There was no connection.
    Unreachable,
    /// The server sent what is neither HTTP nor a frame.
    Garbled,
    /// The attacker closed it.
    Left,
}

impl fmt::Display for AttackEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {status}"),
            Self::Close(code) => write!(f, "close {code}"),
            Self::Closed => f.write_str("closed"),
            Self::Reset => f.write_str("reset"),
            Self::Unreachable => f.write_str("unreachable"),
            Self::Garbled => f.write_str("garbled"),
            Self::Left => f.write_str("left"),
        }
    }
}

/// The counts of one kind.
#[derive(Debug, Default)]
struct AttackCounts {
    begun: u64,
    frames: u64,
    stalled: u64,
    received: BTreeMap<&'static str, u64>,
    ended: BTreeMap<String, u64>,
}

/// The counts of all kinds.
#[derive(Debug, Default)]
pub struct AttackTally(Mutex<BTreeMap<AttackKind, AttackCounts>>);

impl AttackTally {
    /// Counts a connection that begins.
    pub fn begun(&self, kind: AttackKind) {
        self.change(kind, |counts| counts.begun += 1);
    }

    /// Counts frames that were written.
    pub fn frames(&self, kind: AttackKind, count: usize) {
        self.change(kind, |counts| counts.frames += count as u64);
    }

    /// Counts a write that had to wait for long: the server reads no faster.
    pub fn stalled(&self, kind: AttackKind) {
        self.change(kind, |counts| counts.stalled += 1);
    }

    /// Counts a frame that came.
    pub fn received(&self, kind: AttackKind, what: &'static str) {
        self.change(kind, |counts| *counts.received.entry(what).or_default() += 1);
    }

    /// Counts the end of a connection.
    pub fn ended(&self, kind: AttackKind, end: AttackEnd) {
        self.change(kind, |counts| *counts.ended.entry(end.to_string()).or_default() += 1);
    }

    fn change(&self, kind: AttackKind, change: impl FnOnce(&mut AttackCounts)) {
        change(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default());
    }

    /// The counts by the names of the kinds.
    pub fn to_json(&self) -> Value {
        let kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = |(kind, counts): (&AttackKind, &AttackCounts)| {
            let open = counts.begun - counts.ended.values().sum::<u64>();
            let AttackCounts { begun, frames, stalled, received, ended } = counts;
            let entry = json!({ "begun": begun, "ended": ended, "open": open, "frames": frames, "stalled": stalled,
                "received": received });
            (kind.to_string(), entry)
        };
        Value::Object(kinds.iter().map(entry).collect())
    }
}
