//! Rollouts of a node alone, which carries them on by itself.

use std::ops::Range;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_protocol::{RolloutId, TerminalId};

use super::{MemoryBackplane, NodeStore, budget::ROLLOUT_TARGET_BYTES};
use crate::backplane::{
    BackplaneError, CarriedRollouts, CreatedRollout, FoundRollouts, RolloutChange, RolloutDraft, RolloutPlace,
    RolloutRecord, RolloutStore, StoredRollout, rollout::changed_event, rules::ROLLOUT_BYTES,
};

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

impl NodeStore {
    fn recount_rollouts(&mut self) {
        let entries = self.rollouts.by_id.values();
        let bytes = entries.map(|entry| ROLLOUT_BYTES as u64 + ROLLOUT_TARGET_BYTES * entry.targets.len() as u64);
        self.commands.budget.used.rollouts = bytes.sum();
    }
}
