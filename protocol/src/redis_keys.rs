//! Names of keys and channels in Redis. Several clusters can share one Redis server: each has its own cluster name, or
//! its own database.
//!
//! ```text
//!   key       {CLUSTER:PARTITION.N}:NAME             a database of its own already separates keys
//!   channel   {CLUSTER:PARTITION.N}:DATABASE:NAME    publish and subscribe know no databases, so the name has the number
//! ```
//!
//! The braces are a hash tag: a Redis Cluster keeps everything of one partition in one slot, so that a script can use
//! all of it.

use crate::{
    id::{ClusterName, NodeId},
    partition::{PartitionIndex, Partitions},
};

/// Names of the keys and channels of one partition. Node and sidecar must use the same cluster name and database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisKeys {
    tag: String,
    database: i64,
}

impl RedisKeys {
    /// Makes the names for one partition of a store in this database of Redis. With Sentinels and in a Redis Cluster
    /// the database is 0.
    pub fn of_partition(cluster: &ClusterName, database: i64, partitions: Partitions, index: PartitionIndex) -> Self {
        Self { tag: partitions.tag(cluster, index), database }
    }

    /// Returns the hash tag with which every name begins, such as `{muster:3.17}`. No key is called that alone.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Returns the key called `name` in the code.
    pub fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.tag)
    }

    /// Returns the channel called `name` in the code.
    pub fn channel(&self, name: &str) -> String {
        format!("{}:{}:{name}", self.tag, self.database)
    }

    /// Returns the key of the sorted set with the ids of all nodes that hold a lease.
    pub fn nodes(&self) -> String {
        self.key("nodes")
    }

    /// Returns the key of what the store says of itself, in partition 0: a hash with `schema`, `partitions`, `id` and
    /// `created`.
    pub fn store(&self) -> String {
        self.key("store")
    }

    /// Returns the key of a node's lease in this partition: see [`SealedLease`](crate::seal::SealedLease).
    pub fn sealed_lease(&self, node: &str) -> String {
        self.key(&format!("lease:{node}"))
    }

    /// Returns the channel by which sidecars talk to all nodes: see [`ProxyMessage`](crate::inbox::ProxyMessage).
    pub fn proxy(&self) -> String {
        self.channel("proxy")
    }

    /// Returns the channel to which every node listens.
    pub fn broadcast(&self) -> String {
        self.channel("broadcast")
    }

    /// Returns the channel to which only this node listens.
    pub fn inbox(&self, node: &NodeId) -> String {
        self.channel(&format!("inbox:{node}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cluster: &str, database: i64) -> RedisKeys {
        RedisKeys::of_partition(&cluster.parse().unwrap(), database, Partitions::ONE, PartitionIndex(0))
    }

    #[test]
    fn names_of_the_default_cluster_are_these() {
        let keys = of("muster", 0);
        let tag = "{muster:0.1518}";
        assert_eq!(
            (keys.tag(), keys.nodes(), keys.sealed_lease("n")),
            (tag, format!("{tag}:nodes"), format!("{tag}:lease:n"))
        );
        let inbox = keys.inbox(&"n".parse().unwrap());
        assert_eq!((keys.broadcast(), inbox), (format!("{tag}:0:broadcast"), format!("{tag}:0:inbox:n")));
    }

    #[test]
    fn clusters_share_no_name_and_databases_no_channel() {
        let named = |cluster: &str, database| {
            let keys = of(cluster, database);
            (keys.nodes(), keys.broadcast())
        };
        let (one, other) = (named("a", 0), named("b", 0));
        assert!(one.0 != other.0 && one.1 != other.1);
        assert_ne!(named("a", 0).1, named("a", 1).1);
    }
}
