//! Reads the leases of a store without partitions, which have no seals.

use muster_protocol::{
    ClusterName,
    inbox::{InboxMessage, ProxyRequest},
    redis_keys::RedisKeys,
};
use muster_redis::{Connection, Masters};
use redis::{AsyncCommands, RedisResult};

use super::{LeaseCheck, PartitionLook, RegistrySnapshot, partitions::run_id};
use crate::membership::member;

/// The leases of a store without partitions.
pub struct UnpartitionedLeases {
    connection: Connection,
    keys: RedisKeys,
}

impl UnpartitionedLeases {
    /// Prepares to read.
    pub fn new(masters: &Masters, cluster: &ClusterName) -> Self {
        let keys = RedisKeys::new(cluster, masters.topology().database());
        Self { connection: masters.connection(keys.tag()), keys }
    }

    /// The hash tag of all keys.
    pub fn tag(&self) -> &str {
        self.keys.tag()
    }

    /// Reads all leases.
    pub async fn read(&mut self, check: &mut LeaseCheck) -> RedisResult<RegistrySnapshot> {
        let mut first = redis::pipe();
        first.cmd("INFO").arg("server").cmd("ZRANGE").arg(self.keys.nodes()).arg(0).arg(-1);
        let (server, ids): (String, Vec<String>) = first.query_async(&mut self.connection).await?;
        let mut snapshot = RegistrySnapshot { partitions: 1, ..RegistrySnapshot::default() };
        let keys: Vec<_> = ids.iter().map(|id| self.keys.lease(id)).collect();
        let leases: Vec<Option<Vec<u8>>> = if ids.is_empty() { Vec::new() } else { self.connection.mget(keys).await? };
        for (id, lease) in ids.iter().zip(leases) {
            let Some(lease) = lease else { continue };
            let lease = String::from_utf8_lossy(&lease);
            match member(&lease, &check.allow) {
                Ok((address, draining)) => {
                    snapshot.leased.insert(address);
                    snapshot.draining.extend(draining.then_some(address));
                }
                Err(refused) => drop(check.refuse(id, &lease, refused)),
            }
        }
        let look = PartitionLook { run_id: run_id(&server), leases: snapshot.leased.len() };
        snapshot.looks = vec![(0, Some(look))];
        Ok(snapshot)
    }

    /// Publishes a request to all nodes.
    pub async fn ask(&mut self, request: ProxyRequest) -> RedisResult<()> {
        self.connection.spublish(self.keys.broadcast(), InboxMessage::Depart(request.into()).to_string()).await
    }
}
