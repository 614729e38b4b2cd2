//! What a backplane does for rollouts.

use std::ops::Range;

use async_trait::async_trait;
use muster_protocol::{RolloutId, TerminalId};

use crate::backplane::{
    BackplaneError, CarriedRollouts, CreatedRollout, FoundRollouts, RolloutChange, RolloutDraft, RolloutPlace,
    StoredRollout,
};

/// Rollouts, and the lists of their targets. Only a caller that has read the latest record can replace it, so each step
/// is taken once.
#[async_trait]
pub trait RolloutStore: Send + Sync {
    /// Stores a rollout. A draft with an idempotency key that was used for the same body is not stored again.
    ///
    /// # Errors
    /// [`TooManyRollouts`](BackplaneError::TooManyRollouts) if too many are open, [`NoRoom`](BackplaneError::NoRoom),
    /// and [`OtherRollout`](BackplaneError::OtherRollout) if the key was used for another body.
    async fn create_rollout(&self, draft: &RolloutDraft) -> Result<CreatedRollout, BackplaneError>;

    /// Returns a rollout; `None` if it is not stored.
    async fn rollout(&self, id: RolloutId) -> Result<Option<StoredRollout>, BackplaneError>;

    /// Returns at most `limit` rollouts after the place `after`, newest first.
    async fn rollouts(&self, after: Option<RolloutPlace>, limit: usize) -> Result<FoundRollouts, BackplaneError>;

    /// Replaces a record, and freezes at most 512 targets in the same step. Returns false if the record has another
    /// revision by now. A settled rollout loses its list of targets, and is forgotten `--keep` after its last command
    /// has expired.
    ///
    /// # Errors
    /// [`NoRoom`](BackplaneError::NoRoom) if there is no room for the targets.
    async fn save_rollout(&self, change: RolloutChange<'_>) -> Result<bool, BackplaneError>;

    /// Returns the rollouts that are not settled to the node that carries them on. That is the first node that asks,
    /// until it has not asked for 5 s.
    async fn carried_rollouts(&self) -> Result<CarriedRollouts, BackplaneError>;

    /// Returns the targets of a rollout at these positions in the frozen order. Makes one call to the store for each
    /// 512 targets.
    async fn rollout_targets(&self, id: RolloutId, positions: Range<u64>) -> Result<Vec<TerminalId>, BackplaneError>;
}
