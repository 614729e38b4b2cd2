//! A command for terminals of one partition whose idempotency key lies in another. The key is reserved for the command's id, the command
//! is accepted by that id, and then the key is confirmed, or released if the command was refused.

use muster_protocol::{TerminalId, partition::homed};

use super::{RedisBackplane, member::PartitionMember, partition::KeyOutcome};
use crate::backplane::{Accepted, BackplaneError, CommandDraft, IdempotencyKey};

impl RedisBackplane {
    /// Accepts a command in the partition `member`, whose key lies in the partition `keys`. A node that ends, or a partition that goes
    /// away, in between leaves the key reserved: who asks again goes on with the same id, which is accepted once.
    pub(super) async fn accept_keyed(
        &self,
        keys: &PartitionMember,
        key: &IdempotencyKey,
        member: &PartitionMember,
        mut draft: CommandDraft,
        targets: &[TerminalId],
    ) -> Result<Accepted, BackplaneError> {
        let asked = homed(draft.frame.id, member.index());
        let id = match keys.ask(keys.store.reserve_key(key, asked, &self.bounds)).await? {
            KeyOutcome::Reserved(id) => id,
            KeyOutcome::Before(id) => return Ok(Accepted::Before(id)),
        };
        draft.frame.id = id;
        match member.ask(self.accept_in(member, draft, targets, true)).await {
            Ok(accepted) => {
                // Whoever asks again confirms the key if this fails.
                if let Err(error) = keys.store.confirm_key(key, id).await {
                    tracing::debug!(command = %id, %error, "an idempotency key stays reserved");
                }
                Ok(accepted)
            }
            Err(error @ (BackplaneError::Unsure | BackplaneError::Unreplicated)) => Err(error),
            Err(refusal) => {
                if let Err(error) = keys.store.release_key(key, id).await {
                    tracing::debug!(command = %id, %error, "an idempotency key of a refused command stays reserved");
                }
                Err(refusal)
            }
        }
    }
}
