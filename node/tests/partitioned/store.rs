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
        Self::start_on(TestRedis::start().await, &[]).await
    }

    /// Starts both nodes with more flags.
    pub async fn start_on(redis: TestRedis, flags: &[&str]) -> Self {
        let url = redis.url.clone();
        let flags = [&["--insecure", "--redis", &url, "--partitions", PARTITIONS], flags].concat();
        let (here, there) = (TestNode::start(&flags).await, TestNode::start(&flags).await);
        Self { redis, here, there }
    }
}

/// Ids of terminals that lie in all partitions.
pub fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("t{number:02}")).collect()
}

#[tokio::test]
async fn a_store_that_is_full_refuses_commands_and_names_the_flag() {
    let redis = TestRedis::start().await;
    let flags = ["--insecure", "--redis", &redis.url.clone(), "--partitions", "16", "--max-stored", "16777216"];
    let node = TestNode::start(&flags).await;
    node.was_here("t1", muster_protocol::api::Protocol::V1).await;
    let payload = format!("\"{}\"", "x".repeat(200_000));
    let mut answers = Vec::new();
    for _ in 0..6 {
        answers.push(node.command(r#"{"terminal":"t1"}"#, &payload).await);
    }
    let statuses: Vec<_> = answers.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [202, 202, 202, 202, 202, 503], "1 MiB for each partition");
    assert!(answers[5].1["detail"].as_str().unwrap().contains("--max-stored"), "{}", answers[5].1);
    let error =
        TestNode::start_error(&["--insecure", "--redis", &redis.url, "--partitions", "32", "--max-stored", "16777216"])
            .await;
    assert!(error.contains("--max-stored 16777216") && error.contains("33554432"), "{error}");
}

#[tokio::test]
async fn a_node_that_was_started_with_another_number_of_partitions_says_which_one_the_store_has() {
    let cluster = PartitionedCluster::start().await;
    for count in ["1", "6", "1024"] {
        let error = TestNode::start_error(&["--insecure", "--redis", &cluster.redis.url, "--partitions", count]).await;
        assert!(error.contains(&format!("--partitions {count}: this store has 5 partitions")), "{error}");
    }
}
