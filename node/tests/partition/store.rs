//! A partition on a Redis of the test's own.

use std::sync::Arc;

use muster_node::backplane::partitioned::partition::{PartitionScripts, StorePartition};
use muster_protocol::{
    id::ClusterName,
    partition::{PartitionIndex, Partitions},
    redis_keys::RedisKeys,
};
use muster_redis::{Connection, Topology};
use muster_testkit::TestRedis;

/// A store of one partition.
pub struct TestPartition {
    /// The server. It ends with this.
    _redis: TestRedis,
    /// The partition.
    pub partition: StorePartition,
}

impl TestPartition {
    /// An empty partition.
    pub async fn start() -> Self {
        let redis = TestRedis::start().await;
        let topology: Topology = redis.url.parse().unwrap();
        let (partitions, index) = (Partitions::new(1).unwrap(), PartitionIndex(0));
        let keys = RedisKeys::of_partition(&ClusterName::default(), 0, partitions, index);
        let connection = Connection::new(topology, keys.tag());
        let partition = StorePartition::new(index, keys, connection, Arc::<PartitionScripts>::default());
        Self { _redis: redis, partition }
    }
}
