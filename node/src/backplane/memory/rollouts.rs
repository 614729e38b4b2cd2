//! Rollouts of a node alone, which carries them on by itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::Instant,
};

use async_trait::async_trait;
use jiff::Timestamp;
use muster_protocol::{RolloutId, TerminalId};
use rustc_hash::FxHashMap;

use super::{MemoryBackplane, Store, budget::ROLLOUT_TARGET_BYTES};
use crate::backplane::{
    BackplaneError, CarriedRollouts, CreatedRollout, FoundRollouts, FrozenPlace, IdempotencyKey, RolloutChange,
    RolloutDraft, RolloutPlace, RolloutRecord, RolloutStore, StoredRollout,
    rollout::changed_event,
    rules::{KEY_TTL, ROLLOUT_BYTES, ROLLOUTS_MAX, ROLLOUTS_OPEN_MAX},
};

/// The rollouts that are stored.
#[derive(Debug, Default)]
pub(super) struct StoredRollouts {
    by_id: BTreeMap<RolloutId, Entry>,
    /// The hash of the body and the rollout of each idempotency key, and when it was used.
    keys: FxHashMap<String, (String, RolloutId, Instant)>,
}

#[derive(Debug)]
struct Entry {
    stored: StoredRollout,
    /// In the frozen order. Empty once the rollout is settled.
    targets: BTreeSet<FrozenPlace>,
    /// When it may be forgotten. None while it is open.
    forget_at: Option<Timestamp>,
}

#[async_trait]
impl RolloutStore for MemoryBackplane {
    async fn create_rollout(&self, draft: &RolloutDraft) -> Result<CreatedRollout, BackplaneError> {
        let (now, instant, mut store) = (self.clock.now(), self.clock.instant(), self.store());
        store.rollouts.forget_old(now, instant);
        if let Some(before) = store.rollouts.before(draft.key.as_ref())? {
            return Ok(CreatedRollout::Before(before));
        }
        store.rollouts.make_room()?;
        if store.commands.budget.room() < ROLLOUT_BYTES as u64 {
            return Err(BackplaneError::NoRoom(store.commands.budget.used.total()));
        }
        store.rollouts.insert(draft, instant);
        store.events.push("rollout.changed", changed_event(&draft.record));
        store.recount_rollouts();
        Ok(CreatedRollout::New)
    }

    async fn rollout(&self, id: RolloutId) -> Result<Option<StoredRollout>, BackplaneError> {
        Ok(self.store().rollouts.by_id.get(&id).map(|entry| entry.stored.clone()))
    }

    async fn rollouts(&self, after: Option<RolloutPlace>, limit: usize) -> Result<FoundRollouts, BackplaneError> {
        let store = self.store();
        let older = |id: &RolloutId| after.is_none_or(|after| *id < after.0);
        let found = store.rollouts.by_id.iter().rev().filter(|(id, _)| older(id)).take(limit);
        let rollouts: Vec<RolloutRecord> = found.map(|(_, entry)| entry.stored.record.clone()).collect();
        let next = rollouts.last().filter(|_| rollouts.len() == limit).map(|last| RolloutPlace(last.id));
        Ok(FoundRollouts { rollouts, next })
    }

    async fn save_rollout(&self, change: RolloutChange<'_>) -> Result<bool, BackplaneError> {
        let RolloutChange { record, revision, targets, is_told } = change;
        let mut store = self.store();
        let bytes = ROLLOUT_TARGET_BYTES * targets.len() as u64;
        let (room, used) = (store.commands.budget.room(), store.commands.budget.used.total());
        let entry = store.rollouts.by_id.get_mut(&record.id).filter(|entry| entry.stored.revision == revision);
        let Some(entry) = entry else { return Ok(false) };
        if bytes > room {
            return Err(BackplaneError::NoRoom(used));
        }
        entry.stored = StoredRollout { record: record.clone(), revision: revision + 1 };
        entry.targets.extend(targets.iter().cloned());
        if let Some(ended) = record.ends_at() {
            entry.targets.clear();
            entry.forget_at = Some(ended.checked_add(self.bounds.keep).unwrap_or(Timestamp::MAX));
        }
        if is_told {
            store.events.push("rollout.changed", changed_event(record));
        }
        store.recount_rollouts();
        Ok(true)
    }

    async fn carried_rollouts(&self) -> Result<CarriedRollouts, BackplaneError> {
        let (now, instant, mut store) = (self.clock.now(), self.clock.instant(), self.store());
        store.rollouts.forget_old(now, instant);
        store.recount_rollouts();
        let open = store.rollouts.by_id.values().filter(|entry| entry.forget_at.is_none());
        Ok(CarriedRollouts { now, open: Some(open.map(|entry| entry.stored.clone()).collect()) })
    }

    async fn rollout_targets(&self, id: RolloutId, positions: Range<u64>) -> Result<Vec<TerminalId>, BackplaneError> {
        let store = self.store();
        let Some(entry) = store.rollouts.by_id.get(&id) else { return Ok(Vec::new()) };
        let (first, count) = (positions.start as usize, positions.end.saturating_sub(positions.start) as usize);
        Ok(entry.targets.iter().skip(first).take(count).map(|(_, terminal)| terminal.clone()).collect())
    }
}

impl Store {
    fn recount_rollouts(&mut self) {
        let entries = self.rollouts.by_id.values();
        let bytes = entries.map(|entry| ROLLOUT_BYTES as u64 + ROLLOUT_TARGET_BYTES * entry.targets.len() as u64);
        self.commands.budget.used.rollouts = bytes.sum();
    }
}

impl StoredRollouts {
    /// The rollout that was stored under a key.
    fn before(&self, key: Option<&IdempotencyKey>) -> Result<Option<RolloutId>, BackplaneError> {
        match key.and_then(|key| Some((key, self.keys.get(&key.key)?))) {
            Some((key, (body, id, _))) if *body != key.body => Err(BackplaneError::OtherRollout(*id)),
            found => Ok(found.map(|(_, (_, id, _))| *id)),
        }
    }

    /// Fails if as many are open as may be. If as many are stored, the oldest that is settled makes room.
    fn make_room(&mut self) -> Result<(), BackplaneError> {
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

    fn insert(&mut self, draft: &RolloutDraft, now: Instant) {
        let stored = StoredRollout { record: draft.record.clone(), revision: 1 };
        self.by_id.insert(draft.record.id, Entry { stored, targets: BTreeSet::new(), forget_at: None });
        if let Some(key) = &draft.key {
            self.keys.insert(key.key.clone(), (key.body.clone(), draft.record.id, now));
        }
    }

    /// Forgets what was stored for long enough.
    fn forget_old(&mut self, now: Timestamp, instant: Instant) {
        self.by_id.retain(|_, entry| entry.forget_at.is_none_or(|at| at > now));
        self.keys.retain(|_, (_, _, since)| instant.duration_since(*since) < KEY_TTL);
    }
}
