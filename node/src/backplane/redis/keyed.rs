//! A command for terminals of one partition whose idempotency key lies in another. The key is reserved for the
//! command's id, the command is accepted by that id, and then the key is confirmed, or released if the command was
//! refused.

use std::time::Duration;

use jiff::Timestamp;
use muster_protocol::{CommandId, TerminalId, partition::homed};

use super::{RedisBackplane, member::PartitionMember, partition::KeyOutcome};
use crate::backplane::{Accepted, BackplaneError, CommandDraft, IdempotencyKey, command_record::accepted_at};

impl RedisBackplane {
    /// Accepts a command in the partition `member`, whose key lies in the partition `keys`. A node that ends, or a
    /// partition that goes away, in between leaves the key reserved: who asks again goes on with the same id, which is
    /// accepted once.
    ///
    /// The command of a key that was confirmed may be lost: its master failed before a replica had it, and the key is
    /// on another. So it is accepted again too, by its id, until it expires. From then on its partition may have
    /// forgotten it, and it must not run again. One that was imported from a store with other partitions has its home
    /// elsewhere, and is not accepted again.
    pub(super) async fn accept_keyed(
        &self,
        keys: &PartitionMember,
        key: &IdempotencyKey,
        member: &PartitionMember,
        mut draft: CommandDraft,
        targets: &[TerminalId],
    ) -> Result<Accepted, BackplaneError> {
        let (asked, expires_in) = (homed(draft.frame.id, member.index()), draft.request.expires_in);
        let outcome = keys.ask(keys.store.reserve_key(key, asked, &self.bounds)).await?;
        let (KeyOutcome::Reserved(id) | KeyOutcome::Before(id)) = outcome;
        let left = if id == asked { Some(expires_in) } else { left_of(id, expires_in, self.clock.now()) };
        let is_of_here = self.partitions.home(id) == member.index();
        let Some(left) = left.filter(|_| is_of_here) else { return Ok(Accepted::Before(id)) };
        draft.frame.id = id;
        match member.ask(self.accept_in(member, draft, targets, Some(left))).await {
            Ok(accepted) => {
                // Whoever asks again confirms the key if this fails.
                if outcome == KeyOutcome::Reserved(id)
                    && let Err(error) = keys.store.confirm_key(key, id).await
                {
                    tracing::debug!(command = %id, %error, "an idempotency key stays reserved");
                }
                Ok(accepted)
            }
            Err(error @ (BackplaneError::Unsure | BackplaneError::Unreplicated)) => Err(error),
            Err(refusal) => {
                // A key that was confirmed stays.
                if let Err(error) = keys.store.release_key(key, id).await {
                    tracing::debug!(command = %id, %error, "an idempotency key of a refused command stays reserved");
                }
                Err(refusal)
            }
        }
    }
}

/// Returns the time that is left until a command expires, counted from the time in its id. None if it has expired.
pub(super) fn left_of(id: CommandId, expires_in: Duration, now: Timestamp) -> Option<Duration> {
    let expires_at = accepted_at(id).checked_add(expires_in).unwrap_or(Timestamp::MAX);
    // Not more than all of it, should the node that made the id have a clock that is ahead.
    Duration::try_from(expires_at.duration_since(now))
        .ok()
        .filter(|left| !left.is_zero())
        .map(|left| left.min(expires_in))
}
