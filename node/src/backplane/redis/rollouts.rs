//! Rollouts belong to no terminal: the first partition has all of them, and the lists of their targets.

use std::ops::Range;

use async_trait::async_trait;
use muster_protocol::{RolloutId, TerminalId};

use super::RedisBackplane;
use crate::backplane::{
    BackplaneError, CarriedRollouts, CreatedRollout, FoundRollouts, RolloutChange, RolloutDraft, RolloutPlace,
    RolloutStore, StoredRollout,
};

#[async_trait]
impl RolloutStore for RedisBackplane {
    async fn create_rollout(&self, draft: &RolloutDraft) -> Result<CreatedRollout, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.create_rollout(draft, &self.bounds)).await
    }

    async fn rollout(&self, id: RolloutId) -> Result<Option<StoredRollout>, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.rollout(id)).await
    }

    async fn rollouts(&self, after: Option<RolloutPlace>, limit: usize) -> Result<FoundRollouts, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.rollouts(after, limit)).await
    }

    async fn save_rollout(&self, change: RolloutChange<'_>) -> Result<bool, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.save_rollout(change, &self.bounds)).await
    }

    async fn carried_rollouts(&self) -> Result<CarriedRollouts, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.carried_rollouts(&self.node.id)).await
    }

    async fn rollout_targets(&self, id: RolloutId, positions: Range<u64>) -> Result<Vec<TerminalId>, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.rollout_targets(id, positions)).await
    }
}
