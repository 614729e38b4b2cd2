//! What passes between rollouts and their store.

use jiff::Timestamp;
use muster_protocol::{RolloutId, TerminalId};
use ring::digest::{Context, SHA256};
use serde_json::json;

use super::RolloutRecord;
use crate::backplane::{BackplaneError, IdempotencyKey};

/// A rollout that is about to be stored.
#[derive(Debug, Clone)]
pub struct RolloutDraft {
    /// The record.
    pub record: RolloutRecord,
    /// The Idempotency-Key, by which the same request is recognized if it comes again.
    pub key: Option<IdempotencyKey>,
}

/// The result of storing a draft.
#[derive(Debug, Clone, PartialEq)]
pub enum CreatedRollout {
    /// It is stored.
    New,
    /// A rollout was stored before, under the same key.
    Before(RolloutId),
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRollout {
    /// The record.
    pub record: RolloutRecord,
    /// Grows with each change. A change is made only to the revision that it was decided on.
    pub revision: u64,
}

/// A change of a record.
#[derive(Debug, Clone, Copy)]
pub struct RolloutChange<'a> {
    /// The record as it is to be.
    pub record: &'a RolloutRecord,
    /// The revision that is replaced.
    pub revision: u64,
    /// Targets that are frozen in the same step.
    pub targets: &'a [FrozenPlace],
    /// Whether those who follow events are told.
    pub is_told: bool,
}

/// A terminal and its place in the frozen order.
pub type FrozenPlace = (u64, TerminalId);

/// The rollouts that have something to be done for them.
#[derive(Debug, Clone, Default)]
pub struct CarriedRollouts {
    /// The store's time.
    pub now: Timestamp,
    /// The rollouts. None if another node carries them on.
    pub open: Option<Vec<StoredRollout>>,
}

/// A page of rollouts.
#[derive(Debug, Clone, Default)]
pub struct FoundRollouts {
    /// The rollouts, newest first.
    pub rollouts: Vec<RolloutRecord>,
    /// Where the next page begins. None on the last page.
    pub next: Option<RolloutPlace>,
}

/// A place in the list of rollouts: the rollout before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RolloutPlace(pub RolloutId);

impl std::fmt::Display for RolloutPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for RolloutPlace {
    type Err = BackplaneError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| BackplaneError::NoPage)
    }
}

/// The data of `rollout.changed`.
pub fn changed_event(record: &RolloutRecord) -> String {
    let wave = if record.portions.is_empty() { 0 } else { record.wave + 1 };
    let (of, state) = (record.request.waves.len(), record.state);
    json!({ "rollout": record.id, "state": state, "reason": record.reason, "wave": wave, "of": of }).to_string()
}

/// The place of a terminal in the order of a rollout: 52 bits of a hash of both, so that a wave is a sample of the targets, and another one
/// in each rollout. A number of so many bits is exact in Redis, which counts scores in floating point.
pub fn frozen_order(rollout: RolloutId, terminal: &TerminalId) -> u64 {
    let mut hash = Context::new(&SHA256);
    hash.update(rollout.0.as_bytes());
    hash.update(terminal.as_str().as_bytes());
    let hash = hash.finish();
    let first = hash.as_ref().first_chunk::<8>().copied().unwrap_or_default();
    u64::from_be_bytes(first) >> 12
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn each_rollout_has_an_order_of_its_own_that_stays() {
        let (one, other) = (RolloutId(Uuid::from_u128(1)), RolloutId(Uuid::from_u128(2)));
        let terminals: Vec<TerminalId> = (0..100).map(|n| format!("t{n}").parse().unwrap()).collect();
        let ordered = |rollout| {
            let mut all: Vec<_> = terminals.iter().map(|id| (frozen_order(rollout, id), id.clone())).collect();
            all.sort_unstable();
            all
        };
        assert_eq!(ordered(one), ordered(one));
        let names = |order: Vec<(u64, TerminalId)>| order.into_iter().map(|(_, id)| id).collect::<Vec<_>>();
        assert_ne!(names(ordered(one)), names(ordered(other)));
        assert!(ordered(one).iter().all(|(place, _)| *place < 1 << 52));
    }
}
