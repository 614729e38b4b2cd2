//! Two nodes on a store of several partitions, and what does not fit it.

use muster_testkit::{TestNode, TestRedis};

/// The number of partitions.
pub const PARTITIONS: &str = "5";

/// Two nodes, and the Redis between them.
pub struct PartitionedCluster {
    pub redis: TestRedis,
    pub here: TestNode,
    pub there: TestNode,
}

impl PartitionedCluster {
    pub async fn start() -> Self {
        let redis = TestRedis::start().await;
        let flags = ["--insecure", "--redis", &redis.url.clone(), "--partitions", PARTITIONS];
        let (here, there) = (TestNode::start(&flags).await, TestNode::start(&flags).await);
        Self { redis, here, there }
    }
}

/// Ids of terminals that lie in all partitions.
pub fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("t{number:02}")).collect()
}

#[tokio::test]
async fn a_node_that_was_started_with_another_number_of_partitions_says_which_one_the_store_has() {
    let cluster = PartitionedCluster::start().await;
    for count in ["1", "6", "1024"] {
        let error = TestNode::start_error(&["--insecure", "--redis", &cluster.redis.url, "--partitions", count]).await;
        assert!(error.contains(&format!("--partitions {count}: this store has 5 partitions")), "{error}");
    }
}
