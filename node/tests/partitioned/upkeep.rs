//! What a node asks of Redis when nothing happens.

use std::time::Duration;

use muster_testkit::{TestNode, TestRedis};
use tokio::time::sleep;

/// The calls of scripts, and all commands outside of scripts, since the statistics were reset.
async fn calls(redis: &TestRedis) -> (u64, u64) {
    let stats: String = redis.ask(&["INFO", "commandstats"]).await.unwrap();
    let of = |name: &str| {
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls="))?.split_once(','));
        line.map_or(0, |(calls, _)| calls.parse::<u64>().unwrap())
    };
    (of("evalsha"), of("evalsha") + of("spublish") + of("time"))
}

#[tokio::test]
async fn an_idle_node_makes_one_call_a_second_for_each_partition() {
    const PARTITIONS: u64 = 240;
    const SECONDS: u64 = 5;
    let redis = TestRedis::start().await;
    let node = TestNode::start(&["--insecure", "--redis", &redis.url, "--partitions", &PARTITIONS.to_string()]).await;
    sleep(Duration::from_secs(2)).await;
    let () = redis.ask(&["CONFIG", "RESETSTAT"]).await.unwrap();
    sleep(Duration::from_secs(SECONDS)).await;
    let (scripts, all) = calls(&redis).await;
    eprintln!("{} scripts a second, {} calls", scripts / SECONDS, all / SECONDS);
    // One beat more, if the time began just before one.
    assert!(scripts <= (PARTITIONS + 2) * (SECONDS + 1), "{scripts}");
    drop(node);
}
