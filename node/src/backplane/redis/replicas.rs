//! `--redis-replicas`: a command counts as accepted once so many replicas have all that is stored of it.
//!
//! A pipeline for each master asks whether that master has the command, writes a key, and waits until replicas have
//! that key (`WAIT`): then they have everything that was written before, on whichever connection. If another server
//! became the master meanwhile, without the command, the same pipeline shows that. These pipelines have connections of
//! their own, because `WAIT` holds up every call behind it.

use std::time::Duration;

use futures_util::future::join_all;
use muster_protocol::CommandId;
use muster_redis::{Masters, Topology};
use redis::RedisResult;

use super::{RedisBackplane, partition::StorePartition};
use crate::backplane::{BackplaneError, IdempotencyKey};

/// A live replica acknowledges within milliseconds. While a replica is dead, commands also wait for the waits before
/// theirs.
const PATIENCE: Duration = Duration::from_millis(500);

/// A key in Redis that proves that a part of a command is stored, and the partition in which it is.
type Part<'a> = (&'a StorePartition, String);

/// How many replicas must have a command, and the connections to know it.
pub struct WantedReplicas {
    masters: Masters,
    wanted: u32,
}

impl WantedReplicas {
    /// None if no replicas are wanted. Connects when it is first used.
    pub fn new(topology: &Topology, wanted: u32) -> Option<Self> {
        (wanted > 0).then(|| Self { masters: Masters::new(topology.clone()), wanted })
    }

    /// Returns whether one master has all of these parts, and enough replicas have what it has.
    async fn have(&self, parts: &[Part<'_>]) -> RedisResult<bool> {
        let Some((first, _)) = parts.first() else { return Ok(true) };
        let mut pipe = redis::pipe();
        parts.iter().for_each(|(_, key)| _ = pipe.exists(key));
        pipe.cmd("SET").arg(first.check_key()).arg("").arg("PX").arg(10_000).ignore();
        pipe.cmd("WAIT").arg(self.wanted).arg(PATIENCE.as_millis() as u64);
        let mut answers: Vec<u64> = pipe.query_async(&mut self.masters.connection(first.tag())).await?;
        let had = answers.pop().unwrap_or_default();
        Ok(answers.iter().sum::<u64>() == parts.len() as u64 && had >= u64::from(self.wanted))
    }
}

impl RedisBackplane {
    /// Waits until enough replicas have all of a command that was accepted, now or before, and of its idempotency key.
    ///
    /// # Errors
    /// [`BackplaneError::Unreplicated`] if that is not known, for whatever reason.
    pub(super) async fn confirm_replicas(
        &self,
        id: CommandId,
        key: Option<&IdempotencyKey>,
    ) -> Result<(), BackplaneError> {
        let Some(replicas) = &self.replicas else { return Ok(()) };
        let mut parts = self.parts_of(id).await.ok_or(BackplaneError::Unreplicated)?;
        parts.extend(key.map(|key| {
            let store = &self.member(self.partition_of_key(key)).store;
            (store, store.key_of(key))
        }));
        let waits = self.by_master().into_iter().map(|members| {
            let here = |index| members.iter().any(|member| member.index() == index);
            let here: Vec<_> = parts.iter().filter(|(partition, _)| here(partition.index)).cloned().collect();
            async move { replicas.have(&here).await }
        });
        for answer in join_all(waits).await {
            match answer {
                Ok(true) => {}
                Ok(false) => return Err(BackplaneError::Unreplicated),
                Err(error) => {
                    tracing::warn!(command = %id, %error, "it is not known whether replicas have a command");
                    return Err(BackplaneError::Unreplicated);
                }
            }
        }
        Ok(())
    }

    /// Returns where the parts of a command are stored that it still needs. None if its acceptance is not finished, or
    /// its home does not answer.
    async fn parts_of(&self, id: CommandId) -> Option<Vec<Part<'_>>> {
        let home = &self.member(self.partitions.home(id)).store;
        let needed = home.needed_shares(id).await.ok()?;
        let Some(needed) = needed else { return Some(vec![(home, home.share_key(id))]) };
        let members = needed.ok()?.into_iter().filter_map(|index| self.members.get(usize::from(index)));
        let shares = members.map(|member| (&member.store, member.store.share_key(id)));
        Some(std::iter::once((home, home.home_key(id))).chain(shares).collect())
    }
}
