//! What a backplane does for rollouts.

use std::ops::Range;

use async_trait::async_trait;
use muster_protocol::{RolloutId, TerminalId};

use crate::backplane::{
    BackplaneError, CarriedRollouts, CreatedRollout, FoundRollouts, RolloutChange, RolloutDraft, RolloutPlace,
    StoredRollout,
};

/// Rollouts, and the lists of their targets. A record is replaced only by who has read the last one, so each step is taken once.
#[async_trait]
pub trait RolloutStore: Send + Sync {
    /// Stores a rollout. A draft with an idempotency key that was used for the same body is not stored again.
    ///
    /// # Errors
    /// [`TooManyRollouts`](BackplaneError::TooManyRollouts) if as many are open as may be, [`NoRoom`](BackplaneError::NoRoom), and
    /// [`OtherRollout`](BackplaneError::OtherRollout) if the key was used for another body.
    async fn create_rollout(&self, draft: &RolloutDraft) -> Result<CreatedRollout, BackplaneError>;

    /// A rollout, or `None` if it is not stored.
    async fn rollout(&self, id: RolloutId) -> Result<Option<StoredRollout>, BackplaneError>;

    /// At most `limit` rollouts behind the place `after`, newest first.
    async fn rollouts(&self, after: Option<RolloutPlace>, limit: usize) -> Result<FoundRollouts, BackplaneError>;

    /// Replaces a record, and freezes targets in the same step: at most 512. False if the record has another revision by now. A rollout
    /// that is settled has no list of targets any more, and is forgotten `--keep` after its last command has expired.
    ///
    /// # Errors
    /// [`NoRoom`](BackplaneError::NoRoom) if there is no room for the targets.
    async fn save_rollout(&self, change: RolloutChange<'_>) -> Result<bool, BackplaneError>;

    /// The rollouts that are not settled, for the node that carries them on. The first node that asks does, until it has not asked for
    /// 5 s.
    async fn carried_rollouts(&self) -> Result<CarriedRollouts, BackplaneError>;

    /// Targets of a rollout by their positions in the frozen order. A call to the store is about 512 of them at most.
    async fn rollout_targets(&self, id: RolloutId, positions: Range<u64>) -> Result<Vec<TerminalId>, BackplaneError>;
}
