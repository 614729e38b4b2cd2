//! What a stream of events costs Redis while nothing happens, and how soon it has an event then.

use std::time::{Duration, Instant};

use muster_protocol::api::Protocol::Plain;
use muster_testkit::{TestRedis, follower::EventFollower, wait::until};

use crate::store::{PARTITIONS, PartitionedCluster, ids};

/// How often these commands were called, as Redis counts.
async fn calls<const N: usize>(redis: &TestRedis, names: [&str; N]) -> [u64; N] {
    let stats: String = redis.ask(&["INFO", "commandstats"]).await.unwrap();
    names.map(|name| {
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls="))?.split_once(','));
        line.map_or(0, |(calls, _)| calls.parse().unwrap())
    })
}

/// Waits until the node of the stream is noted in every partition, so that it waits for the next event.
async fn until_it_rests(redis: &TestRedis) {
    let mut reads = 0;
    until("the stream rests", async || {
        let before = std::mem::replace(&mut reads, calls(redis, ["xrange"]).await[0]);
        let mut noted = 0;
        for keys in redis.partitions().await {
            noted += redis.ask::<u64>(&["SCARD", &keys.key("event_waiters")]).await.unwrap();
        }
        // The look after the note is made too.
        let beats = calls(redis, ["spublish"]).await[0];
        until("a second passes in Redis", async || calls(redis, ["spublish"]).await[0] >= beats + 2).await;
        noted == PARTITIONS.parse::<u64>().unwrap() && before == calls(redis, ["xrange"]).await[0]
    })
    .await;
}

#[tokio::test]
async fn a_stream_in_which_nothing_happens_asks_redis_next_to_nothing() {
    let cluster = PartitionedCluster::start().await;
    let mut follower = EventFollower::open(cluster.here.address, "/v1/events", None).await;
    until_it_rests(&cluster.redis).await;
    // Each of the two nodes publishes a probe a second.
    let [probes, reads] = calls(&cluster.redis, ["spublish", "xrange"]).await;
    let mut now = [0, 0];
    until("10 seconds pass in Redis", async || {
        now = calls(&cluster.redis, ["spublish", "xrange"]).await;
        now[0] >= probes + 20
    })
    .await;
    // A look reads each partition twice, once for the oldest event, and there is one every 5 s. Five a second would be 500.
    let partitions: u64 = PARTITIONS.parse().unwrap();
    assert!(now[1] - reads <= 3 * 2 * partitions, "{} reads in {} probes", now[1] - reads, now[0] - probes);
    let far = cluster.there.terminal("far", Plain, &[]).await;
    follower.read_until("terminal.online").await;
    drop(far);
}

#[tokio::test]
async fn a_stream_that_rests_has_an_event_at_once() {
    let cluster = PartitionedCluster::start().await;
    let far = cluster.there.terminal("far", Plain, &[]).await;
    let mut follower = EventFollower::open(cluster.here.address, "/v1/events?kind=terminal.event", None).await;
    for number in 0..2 {
        until_it_rests(&cluster.redis).await;
        let [reads] = calls(&cluster.redis, ["xrange"]).await;
        until("it has just looked by itself", async || calls(&cluster.redis, ["xrange"]).await[0] > reads).await;
        let begun = Instant::now();
        far.terminal.send_text(format!("number-{number}")).await.unwrap();
        follower.read_until(&format!("number-{number}")).await;
        // The next look by itself would be after 5 s.
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_stream_that_is_read_too_slowly_is_told_so_and_ends() {
    let cluster = PartitionedCluster::start().await;
    let mut terminals = Vec::new();
    for id in ids(8) {
        terminals.push(cluster.there.terminal(&id, Plain, &[]).await);
    }
    let path = "/v1/events?kind=terminal.event";
    let mut slow = EventFollower::open(cluster.here.address, path, None).await;
    let mut quick = EventFollower::open(cluster.here.address, path, None).await;
    until_it_rests(&cluster.redis).await;
    // More than the node holds for its streams and what a connection takes that nobody reads.
    let text = "x".repeat(7_000);
    for number in 0..3_000 {
        terminals[number % 8].terminal.send_text(format!("{number} {text}")).await.unwrap();
        if number % 100 == 99 {
            quick.read_until(&format!("\"{number} x")).await;
            quick.text.clear();
        }
    }
    slow.read_to_end().await;
    let last = slow.text.rsplit("event: ").next().unwrap();
    assert!(last.starts_with("slow\n") && last.contains("Last-Event-ID"), "{last}");
    // It goes on where it was.
    let mut again = EventFollower::open(cluster.here.address, path, Some(slow.last_id())).await;
    again.read_until("event: terminal.event").await;
}
