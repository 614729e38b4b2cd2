//! Reads the nodes' leases from Redis, once per `--poll`. Nothing is written to Redis; a drain request to the nodes is
//! published.

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
use muster_redis::{Connection, Fitness, Topology, will_pass};
use redis::{AsyncCommands, RedisResult};
use tokio::time;

use crate::membership::{LeaseRefusal, Members, member};

/// A sidecar may start at the same time as its Redis, and waits for it at most this long.
const START: Duration = Duration::from_secs(10);
/// The time between two attempts to read at the start.
const RETRY: Duration = Duration::from_millis(200);
/// How many refused leases are remembered, so that each is logged and counted once. Later ones are neither logged nor
/// counted.
const REMEMBERED: usize = 1000;

/// Reads leases through a connection that follows the Redis master.
pub struct LeaseReader {
    connection: Connection,
    keys: RedisKeys,
    allow: Vec<IpNet>,
    known: HashSet<String>,
    /// How many leases were refused, by reason. Each text counts once.
    pub refused: BTreeMap<&'static str, u64>,
}

/// The leases at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistrySnapshot {
    /// The nodes that hold a lease.
    pub leased: Members,
    /// The nodes among them that drain.
    pub draining: Members,
    /// The id of the Redis process that answered. Another process may have lost leases.
    pub run_id: String,
}

impl LeaseReader {
    /// Prepares a reader. It connects at the first read, and again whenever Redis was away.
    pub fn new(topology: Topology, cluster: &ClusterName, allow: Vec<IpNet>) -> Self {
        let keys = RedisKeys::new(cluster, topology.database());
        let connection = Connection::new(topology, keys.tag());
        Self { connection, keys, allow, known: HashSet::new(), refused: BTreeMap::new() }
    }

    /// Reads the leases for the first time, and waits up to 10 s for Redis. Returns `None` without waiting if Redis is
    /// away and the sidecar `inherits` a set of nodes that it can serve meanwhile. An error if Redis stays away or
    /// refuses the user or password.
    pub async fn first(&mut self, inherits: bool) -> anyhow::Result<Option<RegistrySnapshot>> {
        let deadline = Instant::now() + START;
        loop {
            match self.read().await {
                Ok(look) => return Ok(Some(look)),
                // A wrong password is refused every time, so it is reported at once.
                Err(error) if will_pass(&error) && inherits => return Ok(None),
                Err(error) if will_pass(&error) && Instant::now() < deadline => time::sleep(RETRY).await,
                Err(error) => {
                    let topology = self.connection.topology();
                    return Err(error).with_context(|| {
                        format!("--redis: no Redis answers at {topology}; check that it runs and accepts this user and password")
                    });
                }
            }
        }
    }

    /// Reads all leases. An error while Redis is away.
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
            self.add_lease(&String::from_utf8_lossy(&lease), &mut look);
        }
        Ok(look)
    }

    /// Adds the node of a lease to the snapshot, or refuses the lease.
    fn add_lease(&mut self, lease: &str, look: &mut RegistrySnapshot) {
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

    /// Counts and logs a refused lease, once.
    fn refuse(&mut self, lease: &str, refused: LeaseRefusal) {
        if self.known.len() < REMEMBERED && self.known.insert(lease.to_owned()) {
            *self.refused.entry(refused.label()).or_default() += 1;
            tracing::warn!(
                ?refused,
                bytes = lease.len(),
                "a lease is refused; its node must be in a network of --allow"
            );
        }
    }

    /// Checks that Redis is what Muster needs. `None` if Redis could not be asked. Nothing is written, since a sidecar's
    /// user may have no right to.
    pub async fn check_requirements(&self) -> Option<Fitness> {
        self.connection.check_requirements(None).await.ok()
    }

    /// Publishes a request to all nodes.
    pub async fn ask(&mut self, request: DrainRequest) -> RedisResult<()> {
        self.connection.spublish(self.keys.broadcast(), InboxMessage::Depart(request).to_string()).await
    }
}
