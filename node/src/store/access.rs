//! The flags of `muster-node store`, and the partitions that they lead to.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, ensure};
use clap::Args;
use muster_protocol::{
    ClusterName,
    partition::Partitions,
    redis_keys::RedisKeys,
    seal::{LeaseKey, NodeKey, seal_keys},
};
use muster_redis::Masters;

use crate::{
    backplane::redis::partition::{PartitionScripts, StorePartition},
    config::{RedisFlags, secrets::read_secrets},
};

/// The bytes of a partition's stored commands, from which its scripts know how many bytes of events it keeps. An export and an import
/// write no events.
const STORED: u64 = 1 << 30;

/// Where a store is, and the secret of its cluster: as for a node, but secrets come from files alone.
#[derive(Debug, Clone, Args)]
pub struct StoreFlags {
    #[command(flatten)]
    /// Where Redis is.
    pub redis: RedisFlags,

    /// The name of the cluster
    #[arg(long, env = "MUSTER_CLUSTER", value_name = "NAME", default_value_t)]
    pub cluster: ClusterName,

    /// The file with the secret of the cluster, as nodes have it
    #[arg(long, env = "MUSTER_CLUSTER_SECRET_FILE", value_name = "FILE")]
    pub cluster_secret_file: Option<PathBuf>,

    /// The file with the secrets that sign tokens, if nodes have no --cluster-secret-file
    #[arg(long, env = "MUSTER_SECRET_FILE", value_name = "FILE")]
    pub secret_file: Option<PathBuf>,

    /// The nodes of the cluster run with --insecure
    #[arg(long, env = "MUSTER_INSECURE", conflicts_with = "cluster_secret_file")]
    pub insecure: bool,
}

/// The Redis of a store, and the keys by which its commands and leases are sealed.
pub struct StoreAccess {
    /// The name of the cluster.
    pub cluster: ClusterName,
    /// Checks the seals of commands, and seals them anew.
    pub key: NodeKey,
    /// Checks the seals of leases.
    pub lease: LeaseKey,
    /// The masters of Redis.
    pub masters: Masters,
}

impl StoreFlags {
    /// Reads files, and prepares the connections.
    ///
    /// # Errors
    /// Names the flag that is missing or wrong.
    pub fn open(self) -> anyhow::Result<StoreAccess> {
        let Self { redis, cluster, cluster_secret_file, secret_file, insecure } = self;
        let secrets = match (insecure, cluster_secret_file, secret_file) {
            (true, ..) => Vec::new(),
            (false, Some(file), _) => read_secrets("--cluster-secret-file", &file)?,
            (false, None, Some(file)) => read_secrets("--secret-file", &file)?,
            (false, None, None) => Vec::new(),
        };
        ensure!(
            insecure || !secrets.is_empty(),
            "no secret of the cluster, by which commands are sealed: give --cluster-secret-file, or --secret-file if nodes have no other \
             secret, or --insecure if they run with that"
        );
        let redis = redis.load_files()?;
        let url = redis.url.as_ref().context("no Redis: give --redis URL, as nodes have it")?;
        let masters = Masters::new(redis.topology(url)?);
        let (lease, key) = seal_keys(&cluster, &secrets);
        Ok(StoreAccess { key, lease, cluster, masters })
    }
}

impl StoreAccess {
    /// The partitions of a store that has so many.
    pub fn partitions(&self, partitions: Partitions) -> Vec<StorePartition> {
        let scripts = Arc::new(PartitionScripts::new(STORED, true));
        let database = self.masters.topology().database();
        let store = |index| {
            let keys = RedisKeys::of_partition(&self.cluster, database, partitions, index);
            let connection = self.masters.connection(keys.tag());
            StorePartition::new(index, keys, connection, scripts.clone())
        };
        partitions.all().map(store).collect()
    }

    /// Waits until Redis answers, 10 s at most.
    ///
    /// # Errors
    /// If it does not.
    pub async fn wait_for(&self, first: &StorePartition) -> anyhow::Result<()> {
        let what = || format!("--redis: no Redis answers at {}", self.masters.topology());
        first.wait_until_it_answers().await.with_context(what)
    }
}
