//! The rollouts that are stored.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use jiff::Timestamp;
use muster_protocol::RolloutId;
use rustc_hash::FxHashMap;

use crate::backplane::{
    BackplaneError, FrozenPlace, IdempotencyKey, RolloutDraft, StoredRollout,
    rules::{KEY_TTL, ROLLOUTS_MAX, ROLLOUTS_OPEN_MAX},
};

/// The rollouts that are stored.
#[derive(Debug, Default)]
pub(super) struct StoredRollouts {
    pub(super) by_id: BTreeMap<RolloutId, RolloutEntry>,
    /// The hash of the body and the rollout of each idempotency key, and when it was used.
    keys: FxHashMap<String, (String, RolloutId, Instant)>,
}

/// One rollout.
#[derive(Debug)]
pub(super) struct RolloutEntry {
    pub(super) stored: StoredRollout,
    /// In the frozen order. Empty once the rollout is settled.
    pub(super) targets: BTreeSet<FrozenPlace>,
    /// When it may be forgotten. None while it is open.
    pub(super) forget_at: Option<Timestamp>,
}

impl StoredRollouts {
    /// The rollout that was stored under a key.
    pub(super) fn before(&self, key: Option<&IdempotencyKey>) -> Result<Option<RolloutId>, BackplaneError> {
        match key.and_then(|key| Some((key, self.keys.get(&key.key)?))) {
            Some((key, (body, id, _))) if *body != key.body => Err(BackplaneError::OtherRollout(*id)),
            found => Ok(found.map(|(_, (_, id, _))| *id)),
        }
    }

    /// Fails if as many are open as may be. If as many are stored, the oldest that is settled makes room.
    pub(super) fn make_room(&mut self) -> Result<(), BackplaneError> {
        let open = self.by_id.values().filter(|entry| entry.forget_at.is_none()).count();
        if open >= ROLLOUTS_OPEN_MAX {
            return Err(BackplaneError::TooManyRollouts(open as u64));
        }
        if self.by_id.len() >= ROLLOUTS_MAX {
            let settled = self.by_id.iter().filter_map(|(id, entry)| Some((entry.forget_at?, *id)));
            let oldest = settled.min();
            oldest.and_then(|(_, id)| self.by_id.remove(&id));
        }
        Ok(())
    }

    /// Stores a rollout, and its key.
    pub(super) fn insert(&mut self, draft: &RolloutDraft, now: Instant) {
        let stored = StoredRollout { record: draft.record.clone(), revision: 1 };
        self.by_id.insert(draft.record.id, RolloutEntry { stored, targets: BTreeSet::new(), forget_at: None });
        if let Some(key) = &draft.key {
            self.keys.insert(key.key.clone(), (key.body.clone(), draft.record.id, now));
        }
    }

    /// Forgets what was stored for long enough.
    pub(super) fn forget_old(&mut self, now: Timestamp, instant: Instant) {
        self.by_id.retain(|_, entry| entry.forget_at.is_none_or(|at| at > now));
        self.keys.retain(|_, (_, _, since)| instant.duration_since(*since) < KEY_TTL);
    }
}
