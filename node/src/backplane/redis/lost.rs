//! Shares of a command for many that are missing while its home has the command: the node that began it is gone or got
//! no answer, or they were lost with a master before its replica had them. Who asks again with the idempotency key has
//! them taken.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use muster_protocol::CommandId;

use super::{RedisBackplane, partition::share::CommittedShare};
use crate::backplane::{Accepted, BackplaneError, redis::refusal::unavailable};

impl RedisBackplane {
    /// Answers a request whose key has the command `id`, when each partition has its share. Partitions that lack theirs
    /// take it at once, or later by the upkeep of any node. Without that, a command that is asked for after this answer
    /// would come before this one in those partitions.
    ///
    /// # Errors
    /// [`Unfinished`](BackplaneError::Unfinished) if a share could not be taken yet.
    pub(super) async fn accepted_before(&self, id: CommandId) -> Result<Accepted, BackplaneError> {
        let home = self.member(self.partitions.home(id));
        let committed = async { home.store.committed_shares(id).await.map_err(unavailable) };
        let (shares, lost) = match home.ask(committed).await? {
            None => return Ok(Accepted::Before(id)),
            // Not committed: which shares are taken is not known.
            Some(Err(_)) => Default::default(),
            Some(Ok(shares)) => {
                let lost = self.lost_shares(id, &shares).await;
                if lost.is_empty() {
                    return Ok(Accepted::Before(id));
                }
                (shares, lost)
            }
        };
        if let Some(begun) = home.ask(home.store.reopen(id, &shares, &lost)).await? {
            tracing::warn!(command = %id, partitions = ?lost, "a command lacks shares, which are taken now");
            self.finish(home, &begun).await.map_err(|error| BackplaneError::Unfinished(id, error.to_string()))?;
        }
        Ok(Accepted::Before(id))
    }

    /// Returns the partitions that have lost their shares of a command. One that does not answer is not known to have
    /// lost anything.
    async fn lost_shares(&self, id: CommandId, shares: &BTreeMap<u16, CommittedShare>) -> Vec<u16> {
        let members = shares.iter().filter(|(_, share)| share.of > 0);
        let members = members.filter_map(|(index, _)| self.members.get(usize::from(*index)));
        let asked = members.map(|member| async { (member.index(), member.ask(member.store.has_share(id)).await) });
        let answers = join_all(asked).await.into_iter();
        answers.filter(|(_, has)| *has == Ok(false)).map(|(index, _)| index.0).collect()
    }
}
