//! The nodes' leases in Redis, read on a beat. Nothing is written but, now and then, a word to the nodes.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use anyhow::Context;
use ipnet::IpNet;
use muster_protocol::{
    ClusterName,
    inbox::{DrainRequest, InboxMessage},
    redis_keys::RedisKeys,
};
use muster_redis::{Connection, Topology, will_pass};
use redis::{AsyncCommands, RedisResult};
use tokio::time;

use crate::membership::{LeaseRefusal, Members, member};

/// A sidecar that starts beside its Redis waits this long for it.
const START: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(200);
/// LeaseRefusal leases that are remembered, so that each is logged once.
const REMEMBERED: usize = 1000;

/// A reader of leases.
pub struct LeaseReader {
    connection: Connection,
    keys: RedisKeys,
    allow: Vec<IpNet>,
    known: HashSet<String>,
    /// Leases that were refused, by the reason; each text counts once.
    pub refused: BTreeMap<&'static str, u64>,
}

/// What one look saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistrySnapshot {
    /// Who holds a lease.
    pub leased: Members,
    /// Who of them drains.
    pub draining: Members,
    /// Which process of Redis answered: another has forgotten, or may have.
    pub run_id: String,
}

impl LeaseReader {
    /// Prepares; connects when first read, and again whenever Redis comes back.
    pub fn new(url: &str, cluster: &ClusterName, allow: Vec<IpNet>) -> anyhow::Result<Self> {
        let topology: Topology = url.parse().map_err(|error| anyhow::anyhow!("--redis {error}"))?;
        let keys = RedisKeys::new(cluster, topology.database());
        let connection = Connection::new(topology, keys.tag());
        Ok(Self { connection, keys, allow, known: HashSet::new(), refused: BTreeMap::new() })
    }

    /// The first look. A sidecar that starts beside its Redis waits for it, unless it `inherits` a set that can be served meanwhile.
    pub async fn first(&mut self, inherits: bool) -> anyhow::Result<Option<RegistrySnapshot>> {
        let deadline = Instant::now() + START;
        loop {
            match self.read().await {
                Ok(look) => return Ok(Some(look)),
                // A wrong password does not become right.
                Err(error) if will_pass(&error) && inherits => return Ok(None),
                Err(error) if will_pass(&error) && Instant::now() < deadline => time::sleep(RETRY).await,
                Err(error) => {
                    let topology = self.connection.topology();
                    return Err(error).with_context(|| {
                        format!("--redis: no Redis answers at {topology} (is it running, and does it take this user and password?)")
                    });
                }
            }
        }
    }

    /// Looks at all leases; an error while Redis is away.
    pub async fn read(&mut self) -> RedisResult<RegistrySnapshot> {
        let mut first = redis::pipe();
        first.cmd("INFO").arg("server").cmd("ZRANGE").arg(self.keys.nodes()).arg(0).arg(-1);
        let (server, ids): (String, Vec<String>) = first.query_async(&mut self.connection).await?;
        let run_id = server.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default().trim().to_owned();
        let mut look = RegistrySnapshot { run_id, ..RegistrySnapshot::default() };
        if ids.is_empty() {
            return Ok(look);
        }
        let keys: Vec<_> = ids.iter().map(|id| self.keys.lease(id)).collect();
        let leases: Vec<Option<Vec<u8>>> = self.connection.mget(keys).await?;
        for lease in leases.into_iter().flatten() {
            self.believe(&String::from_utf8_lossy(&lease), &mut look);
        }
        Ok(look)
    }

    fn believe(&mut self, lease: &str, look: &mut RegistrySnapshot) {
        match member(lease, &self.allow) {
            Ok((address, draining)) => {
                look.leased.insert(address);
                if draining {
                    look.draining.insert(address);
                }
            }
            Err(refused) => self.refuse(lease, refused),
        }
    }

    fn refuse(&mut self, lease: &str, refused: LeaseRefusal) {
        if self.known.len() < REMEMBERED && self.known.insert(lease.to_owned()) {
            *self.refused.entry(refused.label()).or_default() += 1;
            tracing::warn!(?refused, bytes = lease.len(), "a lease is not believed (see --allow)");
        }
    }

    /// Publishes a request to all nodes.
    pub async fn ask(&mut self, request: DrainRequest) -> RedisResult<()> {
        self.connection.spublish(self.keys.broadcast(), InboxMessage::Depart(request).to_string()).await
    }
}
