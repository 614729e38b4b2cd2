//! The rollouts that a partition has for all of them (rollout_create.lua, rollout_save.lua, rollout_freeze.lua,
//! rollouts_open.lua, rollout.lua, rollouts.lua, rollout_targets.lua).

use std::ops::Range;

use muster_protocol::{NodeId, RolloutId, TerminalId};
use redis::RedisResult;

use super::{PartitionBounds, StorePartition, accept::hash_of, reading::ScriptAnswer};
use crate::backplane::{
    BackplaneError, CarriedRollouts, CreatedRollout, FoundRollouts, RolloutChange, RolloutDraft, RolloutPlace,
    RolloutRecord, StoredRollout,
    redis::refusal::{broken, read, unavailable, unsure},
    rollout::changed_event,
    rules::{KEY_TTL, ROLLOUT_BYTES, ROLLOUT_STEP, ROLLOUTS_CARRIED_FOR, ROLLOUTS_MAX, ROLLOUTS_OPEN_MAX},
};

impl StorePartition {
    /// Stores a rollout.
    ///
    /// # Errors
    /// [`TooManyRollouts`](BackplaneError::TooManyRollouts), [`NoRoom`](BackplaneError::NoRoom),
    /// [`OtherRollout`](BackplaneError::OtherRollout), and those of a call that changes something.
    pub async fn create_rollout(
        &self,
        draft: &RolloutDraft,
        bounds: &PartitionBounds,
    ) -> Result<CreatedRollout, BackplaneError> {
        let mut call = self.scripts.rollout_create(&self.keys);
        call.arg(draft.record.id.to_string()).arg(json(&draft.record)).arg(changed_event(&draft.record));
        call.arg(draft.key.as_ref().map(hash_of).unwrap_or_default());
        call.arg(draft.key.as_ref().map(|key| key.body.as_str()).unwrap_or_default()).arg(KEY_TTL.as_millis() as u64);
        call.arg(ROLLOUTS_OPEN_MAX).arg(ROLLOUTS_MAX).arg(ROLLOUT_BYTES);
        call.arg(bounds.bytes).arg(bounds.keep.as_millis() as u64);
        let answer = call.invoke_async(&mut self.connection.clone()).await.map_err(unsure)?;
        let mut answer = ScriptAnswer::new("rollout_create.lua", answer)?;
        match answer.outcome() {
            "ok" => Ok(CreatedRollout::New),
            "same" => Ok(CreatedRollout::Before(rollout_id(&mut answer)?)),
            "conflict" => Err(BackplaneError::OtherRollout(rollout_id(&mut answer)?)),
            "rollouts" => Err(BackplaneError::TooManyRollouts(answer.next()?)),
            _ => Err(answer.refusal()),
        }
    }

    /// Returns a rollout, or `None` if it is not stored.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn rollout(&self, id: RolloutId) -> Result<Option<StoredRollout>, BackplaneError> {
        let mut call = self.scripts.rollout(&self.keys);
        let stored: RedisResult<Vec<String>> =
            call.arg(id.to_string()).invoke_async(&mut self.connection.clone()).await;
        match &stored.map_err(unavailable)?[..] {
            [record, revision] => Ok(Some(stored_rollout(record, revision)?)),
            _ => Ok(None),
        }
    }

    /// Returns a page of rollouts, newest first. One that can't be read is left out.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn rollouts(&self, after: Option<RolloutPlace>, limit: usize) -> Result<FoundRollouts, BackplaneError> {
        let mut call = self.scripts.rollouts(&self.keys);
        call.arg(after.map(|after| after.to_string()).unwrap_or_default()).arg(limit);
        let found: RedisResult<Vec<String>> = call.invoke_async(&mut self.connection.clone()).await;
        let found = found.map_err(unavailable)?;
        let is_full = found.len() == limit;
        let rollouts: Vec<RolloutRecord> = found.iter().filter_map(|record| read(record).ok()).collect();
        let next = rollouts.last().filter(|_| is_full).map(|last| RolloutPlace(last.id));
        Ok(FoundRollouts { rollouts, next })
    }

    /// Replaces a record, and freezes targets in the same step. False if it has another revision.
    ///
    /// # Errors
    /// [`NoRoom`](BackplaneError::NoRoom), and those of a call that changes something.
    pub async fn save_rollout(
        &self,
        change: RolloutChange<'_>,
        bounds: &PartitionBounds,
    ) -> Result<bool, BackplaneError> {
        let RolloutChange { record, revision, targets, is_told } = change;
        let event = if is_told { changed_event(record) } else { String::new() };
        let keep = bounds.keep.as_millis() as u64;
        if targets.is_empty() {
            let forget_at = record.ends_at().map(|ended| (ended.as_millisecond() + keep as i64).to_string());
            let mut call = self.scripts.rollout_save(&self.keys);
            call.arg(record.id.to_string()).arg(revision).arg(json(record)).arg(event);
            call.arg(forget_at.unwrap_or_default());
            return call.invoke_async(&mut self.connection.clone()).await.map_err(unsure);
        }
        let mut call = self.scripts.rollout_freeze(&self.keys);
        call.arg(record.id.to_string()).arg(revision).arg(json(record)).arg(event).arg(bounds.bytes).arg(keep);
        targets.iter().for_each(|(place, terminal)| _ = call.arg(*place).arg(terminal.as_str()));
        let answer = call.invoke_async(&mut self.connection.clone()).await.map_err(unsure)?;
        let answer = ScriptAnswer::new("rollout_freeze.lua", answer)?;
        match answer.outcome() {
            "ok" => Ok(true),
            "other" => Ok(false),
            _ => Err(answer.refusal()),
        }
    }

    /// Returns the rollouts that are open, if this node carries them on.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn carried_rollouts(&self, node: &NodeId) -> Result<CarriedRollouts, BackplaneError> {
        let mut call = self.scripts.rollouts_open(&self.keys);
        call.arg(node.as_str()).arg(ROLLOUTS_CARRIED_FOR.as_millis() as u64);
        let answer: RedisResult<Vec<String>> = call.invoke_async(&mut self.connection.clone()).await;
        let answer = answer.map_err(unavailable)?;
        let [now, is_carrier, open @ ..] = &answer[..] else { return Err(broken("rollouts_open.lua is too short")) };
        let now = now.parse().ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let now = now.ok_or_else(|| broken("rollouts_open.lua gave no time"))?;
        let open = open.chunks_exact(2).filter_map(|stored| stored_rollout(&stored[0], &stored[1]).ok()).collect();
        Ok(CarriedRollouts { now, open: Some(open).filter(|_| is_carrier == "1") })
    }

    /// Targets of a rollout by their positions.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn rollout_targets(
        &self,
        id: RolloutId,
        positions: Range<u64>,
    ) -> Result<Vec<TerminalId>, BackplaneError> {
        let mut targets = Vec::new();
        for first in positions.clone().step_by(ROLLOUT_STEP) {
            let last = (first + ROLLOUT_STEP as u64).min(positions.end) - 1;
            let mut call = self.scripts.rollout_targets(&self.keys);
            call.arg(id.to_string()).arg(first).arg(last);
            let found: RedisResult<Vec<String>> = call.invoke_async(&mut self.connection.clone()).await;
            targets.extend(found.map_err(unavailable)?.iter().filter_map(|id| id.parse().ok()));
        }
        Ok(targets)
    }
}

fn json(record: &RolloutRecord) -> String {
    serde_json::to_string(record).expect("a rollout has a JSON form")
}

fn stored_rollout(record: &str, revision: &str) -> Result<StoredRollout, BackplaneError> {
    Ok(StoredRollout { record: read(record)?, revision: revision.parse().map_err(broken)? })
}

fn rollout_id(answer: &mut ScriptAnswer) -> Result<RolloutId, BackplaneError> {
    answer.next::<String>()?.parse().map_err(broken)
}
