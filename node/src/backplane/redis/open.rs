//! Opens the store: it connects, checks that the store has as many partitions as this node was started with, and takes
//! this node's name.

use std::sync::{Arc, OnceLock};

use anyhow::Context;
use muster_protocol::{
    partition::{PartitionIndex, Partitions},
    redis_keys::RedisKeys,
};
use muster_redis::Masters;
use tokio::sync::{Notify, Semaphore};

use super::{
    JOINING, RedisBackplane,
    member::PartitionMember,
    partition::{PartitionBounds, PartitionScripts, StorePartition, store_info::SchemaInUse},
    replicas::WantedReplicas,
    requirements::check_at_start,
    seen_proxies::SeenProxies,
    trust::Trust,
    writer::ReportWriter,
};
use crate::{
    backplane::{
        Host,
        event_signal::EventSignal,
        pacer::Pacer,
        redis::{parted::PartedSessions, strays::Strays},
        waiters::CommandWaiters,
        warning_pace::WarningPace,
    },
    config::Config,
};

/// The least bytes that a partition may store of commands, replies, keys, backlogs and events.
const STORED_MIN: u64 = 1 << 20;

impl RedisBackplane {
    /// Connects to the Redis at `url`, opens a store of this many partitions there, and takes this node's name.
    ///
    /// # Errors
    /// If Redis can't be reached or is not what a node needs, if the store has another number of partitions or another
    /// schema, or if another process holds this node's id and renews its lease. The text names the flag.
    pub async fn open(url: &str, partitions: Partitions, config: &Config, host: Host) -> anyhow::Result<Self> {
        let topology = config.redis.topology(url)?;
        let database = topology.database();
        let masters = Masters::new(topology);
        let trust = Trust::new(&config.cluster, config.sealing_secrets()).counted_by(host.metrics.foreign.clone());
        let trust = Arc::new(trust);
        let bounds = partition_bounds(config, partitions)?;
        let scripts = Arc::new(PartitionScripts::new(bounds.bytes, !config.bounds.no_terminal_history));
        let schema = SchemaInUse::default();
        let store = |index: PartitionIndex| {
            let keys = RedisKeys::of_partition(&config.cluster, database, partitions, index);
            let connection = masters.connection(keys.tag());
            let store = StorePartition::new(index, keys, connection, scripts.clone());
            store.sealed_by(trust.clone()).in_schema(schema.clone())
        };
        let stores: Vec<_> = partitions.all().map(store).collect();
        let first = &stores[0];
        first.wait_until_it_answers().await.with_context(|| {
            let topology = masters.topology();
            format!("--redis: no Redis answers at {topology} (is it running, and does it take this user and password?)")
        })?;
        check_at_start(&masters, &stores).await?;
        let info = first.open(partitions, &fresh_store()).await?;
        info.check(partitions)?;
        trust.set_store(&info.id);
        schema.set(info.schema);
        let process = format!("{:032x}", rand::random::<u128>());
        let member = |store: StorePartition| {
            let fence = host.fences.of(store.index).clone();
            Arc::new(PartitionMember::new(store, fence, process.clone()))
        };
        let members = stores.into_iter().map(member).collect();
        let backplane = Self {
            replicas: WantedReplicas::new(masters.topology(), config.redis_replicas),
            members,
            partitions,
            trust,
            schema,
            misfit: OnceLock::new(),
            node: host.view,
            bounds,
            ping: config.ping,
            forget: config.bounds.forget,
            records_changes: !config.bounds.no_terminal_history,
            hub: host.hub,
            lifecycle: host.lifecycle,
            sessions: host.sessions,
            reports: host.reports,
            report_interval: host.report_interval,
            clock: host.clock,
            metrics: host.metrics,
            pacer: Pacer::default(),
            waiters: CommandWaiters::default(),
            event_signal: EventSignal::default(),
            renewed: Notify::new(),
            strays: Strays::default(),
            joining: Semaphore::new(JOINING),
            parted: PartedSessions::default(),
            writer: ReportWriter::default(),
            proxies: SeenProxies::default(),
            refusals: WarningPace::default(),
            masters,
        };
        backplane.take_name().await?;
        // Taking the name may have taken seconds, in which this node was seen by nobody who raised the schema.
        let info = backplane.members[0].store.open(partitions, &backplane.trust.store()).await;
        if let Err(unfit) = info.map_or(Ok(()), |info| info.check(partitions)) {
            backplane.resign().await;
            return Err(unfit.into());
        }
        Ok(backplane)
    }
}

/// Returns what each partition stores at most.
fn partition_bounds(config: &Config, partitions: Partitions) -> anyhow::Result<PartitionBounds> {
    let (count, stored) = (u64::from(partitions.count()), config.bounds.max_stored);
    anyhow::ensure!(
        stored / count >= STORED_MIN,
        "--max-stored {stored}: each of the {count} partitions stores at least {STORED_MIN} bytes; give {} or more",
        STORED_MIN * count
    );
    Ok(PartitionBounds {
        keep: config.bounds.keep,
        log: config.bounds.log,
        backlog: config.bounds.backlog,
        bytes: stored / count,
    })
}

/// Returns an id for a new store.
pub(super) fn fresh_store() -> String {
    format!("{:016x}", rand::random::<u64>())
}
