//! A Redis whose clock is not the node's.

use muster_protocol::api::Protocol::V1;
use muster_testkit::{FalseClock, TestNode, TestRedis, http::request, wait::until};

use crate::store::PARTITIONS;

const TO_ONE: &str = r#"{"terminal":"t1"}"#;
const TO_ALL: &str = r#"{"all":true}"#;

async fn metric(node: &TestNode) -> i64 {
    let metrics = request(node.address, "GET /metrics HTTP/1.1\r\n").await.2;
    let line = metrics.lines().find_map(|line| line.strip_prefix("muster_redis_clock_difference_ms "));
    line.expect("the metric is there").parse().unwrap()
}

#[tokio::test]
async fn a_node_accepts_nothing_while_the_clock_of_redis_and_its_own_differ_by_more_than_5_s() {
    let mut clock = None;
    let redis = TestRedis::start_with(|command, folder| clock = FalseClock::of(command, folder)).await;
    let Some(clock) = clock else { return };
    let node = TestNode::start(&["--insecure", "--redis", &redis.url, "--partitions", PARTITIONS]).await;
    let mut terminal = node.terminal("t1", V1, &[]).await;
    assert_eq!(node.command(TO_ONE, "1").await.0, 202);

    clock.set(3);
    until("the node tells the difference", async || (2000..=3000).contains(&metric(&node).await)).await;
    assert_eq!(node.command(TO_ALL, "2").await.0, 202, "and accepts");

    for wrong in [9, -9] {
        clock.set(wrong);
        until("the node is not ready", async || request(node.address, "GET /readyz HTTP/1.1\r\n").await.0 == 503).await;
        let told = request(node.address, "GET /readyz HTTP/1.1\r\n").await.2;
        assert!(told.contains("the clocks of this node and of its Redis differ by"), "{told}");
        for target in [TO_ONE, TO_ALL] {
            let (status, problem) = node.command(target, "9").await;
            assert_eq!(status, 503, "{problem}");
            assert!(problem["detail"].as_str().unwrap().contains("differ by"), "{problem}");
        }
        clock.set(0);
        until("the node is ready", async || request(node.address, "GET /readyz HTTP/1.1\r\n").await.0 == 200).await;
    }
    assert_eq!(node.command(TO_ALL, "3").await.0, 202);
    assert_eq!([terminal.payload().await, terminal.payload().await, terminal.payload().await], ["1", "2", "3"]);
}
