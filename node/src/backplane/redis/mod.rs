//! The backplane of a cluster. Redis keeps the registry, the commands and the leases, and its pub/sub carries envelopes: one
//! inbox channel for each node and one broadcast channel, whatever the number of terminals. A failover to another server is found
//! out by [`muster_redis`].
//!
//! In reading order: [`connection`] reaches Redis; [`accept`] stores a command, with [`replicas`] for what must outlive the master,
//! and [`commands`] looks it up; [`subscription`] listens for what other nodes accepted, [`catch_up`] fills the gaps from the log,
//! and [`hearing`] remembers how far that came; [`sessions`] registers who comes and goes, with [`strays`] for those that could not
//! be registered yet and [`parted`] for those that could not be unregistered yet, and [`registry`] knows terminals;
//! [`writer`] writes what sessions report; [`lease`] keeps this node alive in the eyes of others, and [`identity`] its name with
//! one process; [`requirements`] checks that Redis is what a node needs; [`events`] tells what happened. A step that must not be torn apart is one script ([`scripts`]); what a failure is
//! told as is one table ([`refusal`]).

mod accept;
mod catch_up;
mod commands;
pub(super) mod connection;
mod events;
pub(super) mod hearing;
pub(super) mod identity;
mod keys;
mod lease;
mod membership;
pub(super) mod parted;
pub(super) mod refusal;
mod registry;
mod replicas;
mod requirements;
mod scripts;
mod sessions;
pub(super) mod strays;
mod subscription;
mod writer;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use muster_protocol::{api::NodeView, partition::PartitionIndex, redis_keys::RedisKeys};
use muster_redis::Connection;
use tokio::sync::{Notify, Semaphore};

use self::{
    hearing::Hearing, identity::Identity, parted::PartedSessions, replicas::Replicas, requirements::Requirements,
    scripts::Scripts, strays::Strays, writer::Writer,
};
use super::{BackplaneError, Deliver, Host, pacer::Pacer};
use crate::{
    config::{Bounds, Config},
    fence::Claim,
    hub::{Hub, Lifecycle},
    metrics::Metrics,
    reports::Reports,
};

/// Sessions that register at once: more would only wait in Redis, and time out there when a whole node's sessions join again.
const JOINING: usize = 256;

/// The one partition of this store.
const PARTITION: PartitionIndex = PartitionIndex(0);

/// The store and the bus of a cluster.
pub struct RedisBackplane {
    connection: Connection,
    /// The names of everything in Redis.
    keys: RedisKeys,
    /// For commands, if they must outlive the master.
    replicas: Option<Replicas>,
    node: NodeView,
    identity: Identity,
    ping: Duration,
    bounds: Bounds,
    hub: Arc<Hub>,
    lifecycle: Arc<Lifecycle>,
    sessions: Arc<dyn Deliver>,
    reports: Arc<Reports>,
    report_interval: Duration,
    metrics: Arc<Metrics>,
    pacer: Pacer,
    /// The lease under which this node's sessions are registered.
    claim: Claim,
    /// Whether the lease was renewed at the last beat, which needs a Redis that takes writes.
    reachable: AtomicBool,
    /// It was: who left while Redis was away can be unregistered.
    renewed: Notify,
    strays: Strays,
    joining: Semaphore,
    /// Sessions that ended while Redis was away.
    parted: PartedSessions,
    writer: Writer,
    hearing: Hearing,
    scripts: Scripts,
    requirements: Requirements,
}

impl RedisBackplane {
    /// Connects, and takes this node's name.
    pub async fn open(url: &str, config: &Config, host: Host) -> anyhow::Result<Self> {
        let Host { view: node, hub, fences, lifecycle, sessions, reports, report_interval, metrics, .. } = host;
        let (connection, keys) = connection::open(url, config).await?;
        requirements::check_at_start(&connection, &keys).await?;
        let backplane = Self {
            replicas: Replicas::new(connection.topology(), keys.tag(), config.redis_replicas),
            connection,
            node,
            identity: Identity::fresh(),
            ping: config.ping,
            bounds: config.bounds.clone(),
            hub,
            lifecycle,
            sessions,
            reports,
            report_interval,
            metrics,
            pacer: Pacer::default(),
            claim: Claim::new(fences.of(PARTITION).clone()),
            reachable: AtomicBool::new(true),
            renewed: Notify::new(),
            strays: Strays::default(),
            joining: Semaphore::new(JOINING),
            parted: PartedSessions::default(),
            writer: Writer::default(),
            hearing: Hearing::default(),
            scripts: Scripts::new(&keys),
            requirements: Requirements::default(),
            keys,
        };
        backplane.take_name().await?;
        Ok(backplane)
    }

    /// The connection, unless Redis is known to be away: then nobody is to wait for it.
    fn reach(&self) -> Result<Connection, BackplaneError> {
        if let Some(address) = self.identity.rival() {
            return Err(BackplaneError::Nameless(address));
        }
        if self.reachable.load(Ordering::Relaxed) {
            Ok(self.connection.clone())
        } else {
            Err(BackplaneError::Unavailable("Redis does not answer, or takes no writes".into()))
        }
    }
}
