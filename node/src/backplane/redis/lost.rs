//! Shares of a command for many that were lost with a master before its replica had them, while the home still has the command. Who
//! asks again with the idempotency key has them taken again.

use futures_util::future::join_all;
use muster_protocol::CommandId;

use super::{RedisBackplane, member::PartitionMember};
use crate::backplane::{Accepted, BackplaneError, redis::refusal::unavailable};

impl RedisBackplane {
    /// Answers a request whose key has the command `id` of this home. If partitions have lost their shares they take them again, at
    /// once, or later by the upkeep of any node.
    ///
    /// # Errors
    /// [`Unfinished`](BackplaneError::Unfinished) if a share could not be taken yet.
    pub(super) async fn accepted_before(
        &self,
        home: &PartitionMember,
        id: CommandId,
    ) -> Result<Accepted, BackplaneError> {
        let committed = async { home.store.committed_shares(id).await.map_err(unavailable) };
        // One that is not committed is finished by the upkeep anyway.
        let Some(Ok(shares)) = home.ask(committed).await? else { return Ok(Accepted::Before(id)) };
        let members = shares.iter().filter(|(_, share)| share.of > 0);
        let members = members.filter_map(|(index, _)| self.members.get(usize::from(*index)));
        let asked = members.map(|member| async { (member.index(), member.ask(member.store.has_share(id)).await) });
        // A partition that does not answer is not known to have lost anything.
        let answers = join_all(asked).await.into_iter();
        let lost: Vec<_> = answers.filter(|(_, has)| *has == Ok(false)).map(|(index, _)| index.0).collect();
        if lost.is_empty() {
            return Ok(Accepted::Before(id));
        }
        if let Some(begun) = home.ask(home.store.reopen(id, &shares, &lost)).await? {
            tracing::warn!(command = %id, partitions = ?lost, "shares of a command were lost with a master, and are taken again");
            self.finish(home, &begun).await.map_err(|error| BackplaneError::Unfinished(id, error.to_string()))?;
        }
        Ok(Accepted::Before(id))
    }
}
