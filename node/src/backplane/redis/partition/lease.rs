//! Leases in one partition: a node's claim to be alive, and to hold the sessions that it registered.

use std::time::Duration;

use jiff::Timestamp;
use muster_protocol::NodeId;
use redis::{AsyncCommands, ErrorKind, RedisError, RedisResult};

use super::{StorePartition, due::DueUpkeep, held::held_sum, sessions::HolderNode};
use crate::backplane::{Cursor, cursor::fresh_epoch};

/// How long a lease lasts. Five renewals may fail.
pub const LEASE: Duration = Duration::from_secs(6);
/// The interval at which a lease is renewed, and the time for which a dead node can go unnoticed beyond its lease.
pub const BEAT: Duration = Duration::from_secs(1);

/// What a node tells with a renewal.
#[derive(Debug, Clone, Copy)]
pub struct LeaseRenewal<'a> {
    /// What the lease says of the node, sealed.
    pub lease: &'a str,
    /// The number up to which the node has passed everything on to its sessions.
    pub reached: u64,
    /// The highest number that the node has seen of this partition, and the epoch that gave it. A store that lacks it
    /// gets a new epoch. None if it has seen none.
    pub seen: Option<&'a Cursor>,
    /// The ordinals of the node's sessions, to be compared with the registry. None compares nothing.
    pub held: Option<&'a [u32]>,
}

/// A command whose acceptance was not finished within this time is finished by any node.
pub const UNFINISHED: Duration = Duration::from_secs(2);

/// The result of a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenewedLease {
    /// The process holds the lease.
    Held {
        /// The lease's name. It changes each time that the node had lost the lease.
        name: String,
        /// The time of this partition's Redis.
        time: Timestamp,
        /// Nodes that are dead and of whose sessions no event says so yet.
        dead: Vec<NodeId>,
        /// What else there is to do.
        due: DueUpkeep,
    },
    /// Another process with the node's name holds it.
    Other {
        /// That process.
        process: String,
        /// Its lease, sealed.
        lease: String,
    },
}

impl StorePartition {
    /// Renews a node's lease, or takes it.
    ///
    /// # Errors
    /// If Redis does not answer, or takes no writes.
    pub async fn beat(&self, holder: HolderNode<'_>, renewal: LeaseRenewal<'_>) -> RedisResult<RenewedLease> {
        let mut call = self.scripts.beat(&self.keys);
        call.arg(holder.node.as_str()).arg(holder.process).arg(renewal.lease).arg(LEASE.as_millis() as u64);
        call.arg(fresh_epoch()).arg(renewal.reached);
        call.arg(renewal.seen.map_or("", |seen| &seen.epoch)).arg(renewal.seen.map_or(0, |seen| seen.number));
        call.arg(UNFINISHED.as_millis() as u64);
        match renewal.held.map(held_sum) {
            Some((_, count, checksum)) => call.arg(count).arg(checksum),
            None => call.arg("").arg(""),
        };
        let answer: Vec<String> = call.invoke_async(&mut self.connection.clone()).await?;
        match &answer[..] {
            [process, lease] if process != holder.process => {
                Ok(RenewedLease::Other { process: process.clone(), lease: lease.clone() })
            }
            [process, name, time, due, dead @ ..] if process == holder.process => {
                let time = time.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
                let time = time.ok_or_else(|| unexpected(&answer))?;
                let dead = dead.iter().filter_map(|id| id.parse().ok()).collect();
                Ok(RenewedLease::Held { name: name.clone(), time, dead, due: DueUpkeep::of(due) })
            }
            _ => Err(unexpected(&answer)),
        }
    }

    /// Gives a node's lease back, and its sessions with it. Returns false if another process holds it.
    ///
    /// # Errors
    /// If Redis does not answer. The lease may be given back then.
    pub async fn resign(&self, holder: HolderNode<'_>, reason: &str) -> RedisResult<bool> {
        let mut call = self.scripts.resign(&self.keys);
        call.arg(holder.node.as_str()).arg(holder.process).arg(reason);
        call.invoke_async(&mut self.connection.clone()).await
    }

    /// Returns the nodes that hold a lease here, with their leases, sealed.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn leases(&self) -> RedisResult<Vec<(String, String)>> {
        let mut connection = self.connection.clone();
        let ids: Vec<String> = connection.zrange(self.keys.nodes(), 0, -1).await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<_> = ids.iter().map(|id| self.keys.key(&format!("lease:{id}"))).collect();
        let leases: Vec<Option<String>> = connection.mget(keys).await?;
        Ok(ids.into_iter().zip(leases).filter_map(|(id, lease)| Some((id, lease?))).collect())
    }
}

fn unexpected(answer: &[String]) -> RedisError {
    RedisError::from((ErrorKind::Parse, "a script's answer can't be read", format!("{answer:?}")))
}
