//! Reads the nodes' leases from Redis, once per `--poll`. The sidecar writes nothing to Redis; it publishes requests to
//! the nodes, and its reports.
//!
//! ```text
//!   LeaseReader ─▶ store         which store there is, if any
//!               └▶ partitions    all partitions of the store ─▶ seals: a lease counts if a node with the secret wrote it
//!                                                            ─▶ membership: an address that is allowed
//!                                                               refusals: the others, counted
//! ```

mod partitions;
mod refusals;
mod reread;
mod seals;
mod store;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Context;
use futures_util::future::join;
use ipnet::IpNet;
use muster_protocol::{ClusterName, api::ProxyView, inbox::ProxyMessage, redis_keys::RedisKeys};
use muster_redis::{Fitness, Masters, Topology, will_pass};
use redis::RedisResult;
use tokio::time;

pub use self::store::is_unfit;
use self::{partitions::PartitionedLeases, refusals::Refusals, seals::LeaseSeals, store::FoundStore};
use crate::{
    config::Config,
    membership::{LeaseRefusal, Members},
    state::ForeignLeases,
};

/// How long a sidecar waits at most for its Redis, which may start at the same time.
const START: Duration = Duration::from_secs(10);
/// The time between two attempts to read at the start.
const RETRY: Duration = Duration::from_millis(200);

/// Reads leases through connections that follow the Redis masters.
pub struct LeaseReader {
    masters: Masters,
    cluster: ClusterName,
    first_partition: RedisKeys,
    /// `None` until a store was found.
    partitioned: Option<PartitionedLeases>,
    check: LeaseCheck,
}

/// Decides which leases count.
struct LeaseCheck {
    seals: LeaseSeals,
    allow: Vec<IpNet>,
    refusals: Refusals,
}

/// The leases at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistrySnapshot {
    /// The nodes that hold a lease, in any partition.
    pub leased: Members,
    /// The nodes among them that drain.
    pub draining: Members,
    /// The number of partitions; 1 while no node has made a store.
    pub partitions: usize,
    /// What each partition answered that was read this time, by index. `None` for a partition that did not answer.
    pub looks: Vec<(usize, Option<PartitionLook>)>,
    /// Whether the store is another one than at the last look: it was lost and made again.
    pub is_reset: bool,
    /// Leases that are not used, since no node with the sidecar's secret wrote them.
    pub foreign: Option<ForeignLeases>,
    /// Nodes in no network of `--allow`, and their addresses; at most 20.
    pub outside: BTreeMap<String, String>,
}

/// What a partition has answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionLook {
    /// The id of the Redis process. Another process may have lost leases.
    pub run_id: String,
    /// The number of nodes that hold a lease there.
    pub leases: usize,
}

impl LeaseReader {
    /// Prepares a reader. It connects at the first read, and again whenever Redis was away.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let seals = LeaseSeals::of(&config.cluster, &config.secrets);
        Ok(Self::of(config.topology()?, &config.cluster, config.allow.clone(), seals))
    }

    fn of(topology: Topology, cluster: &ClusterName, allow: Vec<IpNet>, seals: LeaseSeals) -> Self {
        let masters = Masters::new(topology);
        let check = LeaseCheck { seals, allow, refusals: Refusals::default() };
        let first_partition = store::keys(&masters, cluster);
        Self { masters, cluster: cluster.clone(), first_partition, partitioned: None, check }
    }

    /// Reads the leases for the first time, and waits up to 10 s for Redis. Returns `None` without waiting if Redis is
    /// away and the sidecar `inherits` a set of nodes that it can serve meanwhile. An error if Redis stays away or
    /// refuses the user or password.
    pub async fn first(&mut self, inherits: bool) -> anyhow::Result<Option<RegistrySnapshot>> {
        let deadline = Instant::now() + START;
        loop {
            match self.read().await {
                Ok(look) => return Ok(Some(look)),
                Err(error) if is_unfit(&error) => return Err(error.into()),
                // A wrong password is refused every time, so it is reported at once.
                Err(error) if will_pass(&error) && inherits => return Ok(None),
                Err(error) if will_pass(&error) && Instant::now() < deadline => time::sleep(RETRY).await,
                Err(error) => {
                    let topology = self.masters.topology();
                    return Err(error).with_context(|| {
                        format!("--redis: no Redis answers at {topology}; check that it runs and accepts this user and password")
                    });
                }
            }
        }
    }

    /// Reads the leases. The result is empty while no node has made a store. An error if no partition answers, or if
    /// this program can't read the store: the leases of a newer schema might mean something else.
    pub async fn read(&mut self) -> RedisResult<RegistrySnapshot> {
        let Some(partitioned) = &mut self.partitioned else {
            return match store::find(&self.masters, &self.first_partition).await? {
                None => {
                    let look =
                        PartitionLook { run_id: store::run_id(&self.masters, &self.first_partition).await?, leases: 0 };
                    Ok(RegistrySnapshot { partitions: 1, looks: vec![(0, Some(look))], ..RegistrySnapshot::default() })
                }
                Some(found) => self.partitioned.insert(self.prepare(found)).read(&mut self.check).await,
            };
        };
        let find = store::find(&self.masters, &self.first_partition);
        let (found, snapshot) = join(find, partitioned.read(&mut self.check)).await;
        match found {
            Ok(Some(found)) if !partitioned.is_of(&found) => {
                tracing::warn!(partitions = found.partitions.count(), "the store was lost and is another one now");
                let snapshot = match partitioned.becomes(&found) {
                    true => snapshot?,
                    false => self.partitioned.insert(self.prepare(found)).read(&mut self.check).await?,
                };
                Ok(RegistrySnapshot { is_reset: true, ..snapshot })
            }
            Err(error) if is_unfit(&error) => Err(error),
            // Partition 0 is away, or its store is about to be made again. The other partitions have the same store.
            Ok(_) | Err(_) => snapshot,
        }
    }

    fn prepare(&self, store: FoundStore) -> PartitionedLeases {
        PartitionedLeases::new(self.masters.clone(), &self.cluster, store)
    }

    /// Returns how many leases were refused, by reason. Each node counts once for each reason.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.check.refusals.counts()
    }

    /// Checks that each master is what Muster needs, and returns the first that is not. `None` if none could be asked.
    /// Writes nothing, since a sidecar's user may have no right to.
    pub async fn check_requirements(&self) -> Option<Fitness> {
        let mut checked = None;
        for tag in self.one_tag_for_each_master() {
            match self.masters.connection(&tag).check_requirements(None).await {
                Ok(unfit @ Fitness::Unfit(_)) => return Some(unfit),
                Ok(fit) => checked = Some(fit),
                Err(_) => {}
            }
        }
        checked
    }

    /// Publishes the report of this proxy, sealed.
    pub async fn report(&self, report: &ProxyView) -> RedisResult<()> {
        self.tell(ProxyMessage::Report(self.check.seals.seal(report))).await
    }

    /// Publishes a message to all nodes. They listen in all partitions, so this tries one partition of each master,
    /// until one answers.
    pub async fn tell(&self, message: ProxyMessage) -> RedisResult<()> {
        match &self.partitioned {
            Some(partitioned) => partitioned.tell(&message).await,
            // There is no node yet.
            None => Ok(()),
        }
    }

    fn one_tag_for_each_master(&self) -> Vec<String> {
        match &self.partitioned {
            Some(partitioned) => partitioned.one_tag_for_each_master(),
            None => vec![self.first_partition.tag().to_owned()],
        }
    }
}

impl LeaseCheck {
    /// Counts and logs a refused lease, once for each node and reason. Returns why the lease is foreign, if it is.
    fn refuse(&mut self, node: &str, lease: &str, refused: LeaseRefusal) -> Option<&'static str> {
        let why = (refused == LeaseRefusal::Foreign).then(|| self.seals.why_foreign(node, lease));
        self.refusals.refuse(node, lease, refused, why);
        why
    }
}
