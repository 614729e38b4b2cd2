//! Shares of a command for many that are missing although the command's home has the command. Either the node that
//! began the command is gone or got no answer, or the shares were lost with a master before its replica had them. A
//! request with the same idempotency key has the partitions take the missing shares.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use muster_protocol::CommandId;

use super::{RedisBackplane, partition::share::CommittedShare};
use crate::backplane::{Accepted, BackplaneError, redis::refusal::unavailable};

impl RedisBackplane {
    /// Answers a request whose key has the command `id`, when each partition has its share. Partitions that lack theirs
    /// take it at once, or later by the upkeep of any node. Otherwise, in those partitions, a later command could come
    /// before this command.
    ///
    /// # Errors
    /// [`Unfinished`](BackplaneError::Unfinished) if a share could not be taken yet.
    pub(super) async fn accepted_before(&self, id: CommandId) -> Result<Accepted, BackplaneError> {
        let home = self.member(self.partitions.home(id));
        let committed = async { home.store.committed_shares(id).await.map_err(unavailable) };
        let (shares, lost) = match home.ask(committed).await? {
            None => return Ok(Accepted::Before(id)),
            // The command is not committed, so it is not known which shares are taken.
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

    /// Returns the partitions that have lost their shares of a command. Leaves out partitions that do not answer.
    async fn lost_shares(&self, id: CommandId, shares: &BTreeMap<u16, CommittedShare>) -> Vec<u16> {
        let members = shares.iter().filter(|(_, share)| share.of > 0);
        let members = members.filter_map(|(index, _)| self.members.get(usize::from(*index)));
        let asked = members.map(|member| async { (member.index(), member.ask(member.store.has_share(id)).await) });
        let answers = join_all(asked).await.into_iter();
        answers.filter(|(_, has)| *has == Ok(false)).map(|(index, _)| index.0).collect()
    }
}
