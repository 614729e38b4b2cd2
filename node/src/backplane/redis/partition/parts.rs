//! The keys that prove that a part of a command is stored.

use std::collections::BTreeMap;

use muster_protocol::CommandId;
use redis::{AsyncCommands, RedisResult};

use super::{CommittedShare, StorePartition, accept::hash_of};
use crate::backplane::{
    BackplaneError, IdempotencyKey,
    redis::refusal::{read, unavailable},
};

impl StorePartition {
    /// Returns the key of what the home of a command with shares has of it.
    pub fn home_key(&self, command: CommandId) -> String {
        self.keys.key(&format!("home:{command}"))
    }

    /// Returns the key of a share of a command, or of the whole command if it has no shares.
    pub fn share_key(&self, command: CommandId) -> String {
        self.keys.key(&format!("command:{command}"))
    }

    /// Returns the key of an idempotency key.
    pub fn key_of(&self, key: &IdempotencyKey) -> String {
        self.keys.key(&format!("key:{}", hash_of(key)))
    }

    /// Returns the key that is written to see that writes are taken.
    pub fn check_key(&self) -> String {
        self.keys.key("check")
    }

    /// Returns the shares of a command of which this partition is the home. None if it has no shares, or is not known;
    /// an error in place of them if they are not committed yet.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn committed_shares(
        &self,
        command: CommandId,
    ) -> RedisResult<Option<Result<BTreeMap<u16, CommittedShare>, BackplaneError>>> {
        let shares: Option<String> = self.connection.clone().hget(self.home_key(command), "shares").await?;
        Ok(shares.map(|shares| read(&shares)))
    }

    /// Returns the partitions that must still have their shares of a command of which this partition is the home. None
    /// if the command has no shares, or is not known; an error in place of them if they are not committed yet.
    ///
    /// A share is not needed any more once its targets are all settled, and no share is once the command is done or was
    /// cancelled: the home then has what became of it, and [`reopen`](Self::reopen) does not have a lost share taken
    /// again.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn needed_shares(&self, command: CommandId) -> RedisResult<Option<Result<Vec<u16>, BackplaneError>>> {
        let home = self.home_key(command);
        let fields = ["shares", "done", "cancelled_at"];
        let (shares, done, cancelled): (Option<String>, Option<String>, Option<String>) =
            self.connection.clone().hmget(&home, &fields).await?;
        let Some(shares) = shares else { return Ok(None) };
        if done.is_some() || cancelled.is_some() {
            return Ok(Some(Ok(Vec::new())));
        }
        let shares: BTreeMap<u16, CommittedShare> = match read(&shares) {
            Ok(shares) => shares,
            Err(error) => return Ok(Some(Err(error))),
        };
        let with_targets: Vec<_> =
            shares.into_iter().filter(|(_, share)| share.of > 0).map(|(index, _)| index).collect();
        let marks: Vec<_> = with_targets.iter().map(|index| format!("settled:{index}")).collect();
        if marks.is_empty() {
            return Ok(Some(Ok(Vec::new())));
        }
        let settled: Vec<Option<String>> = self.connection.clone().hmget(&home, &marks).await?;
        let needed = with_targets.into_iter().zip(settled).filter(|(_, settled)| settled.is_none());
        Ok(Some(Ok(needed.map(|(index, _)| index).collect())))
    }

    /// Returns whether this partition has its share of a command.
    pub async fn has_share(&self, command: CommandId) -> Result<bool, BackplaneError> {
        self.connection.clone().exists(self.share_key(command)).await.map_err(unavailable)
    }
}
