//! Reports that Redis refuses for good, and those of terminals that have one ordinal in different partitions.

use std::collections::{BTreeMap, BTreeSet};

use muster_protocol::{
    Payload,
    frame::{Ack, FromTerminal, Progress},
    id::ClusterName,
    partition::Partitions,
    redis_keys::RedisKeys,
};
use muster_testkit::{
    TestNode,
    http::{get, request},
    wait::until,
};

use crate::{
    keys::partitions,
    store::{PARTITIONS, PartitionedCluster, ids},
};

/// Waits until so many reports were dropped for this reason.
async fn are_dropped(node: &TestNode, reason: &str, count: usize) {
    let line = format!(r#"muster_reports_dropped_total{{reason="{reason}"}} {count}"#);
    until(&line, async || {
        request(node.address, "GET /metrics HTTP/1.1\r\n").await.2.lines().any(|found| found == line)
    })
    .await;
}

#[tokio::test]
async fn a_report_that_redis_refuses_for_good_is_dropped_and_holds_up_no_other() {
    let PartitionedCluster { redis, here: node, .. } = PartitionedCluster::start().await;
    let mut one = node.terminal_with("one", |config| config.acknowledge = false).await;
    let (_, command) = node.command(r#"{"terminal":"one"}"#, "1").await;
    let (id, text) = (one.command().await.id, command["id"].as_str().unwrap().to_owned());
    node.counts(&text, 0, 1, 0).await;
    let partitions = Partitions::new(PARTITIONS.parse().unwrap()).unwrap();
    let keys = RedisKeys::of_partition(&ClusterName::default(), 0, partitions, partitions.of(&"one".parse().unwrap()));
    // Another type under a key makes Redis refuse what is written there.
    let () = redis.ask(&["SET", &keys.key(&format!("command:{text}:replies")), "no hash"]).await.unwrap();
    one.terminal.send(FromTerminal::Progress(Progress { id, payload: Payload::from_text("half") })).await.unwrap();
    are_dropped(&node, "reply_refused", 1).await;
    until("the state that came with it", async || {
        get(node.address, &format!("/v1/commands/{text}")).await.1["counts"]["running"] == 1
    })
    .await;
    let () = redis.ask(&["SET", &keys.key(&format!("command:{text}")), "no hash"]).await.unwrap();
    one.terminal
        .send(FromTerminal::decode(&format!(r#"{{"type":"result","id":"{text}","ok":true}}"#)).unwrap())
        .await
        .unwrap();
    are_dropped(&node, "state_refused", 1).await;
    let (_, command) = node.command(r#"{"terminal":"one"}"#, "2").await;
    let id = one.command().await.id;
    one.terminal.send(FromTerminal::Ack(Ack { id })).await.unwrap();
    node.counts(command["id"].as_str().unwrap(), 0, 0, 1).await;
}

/// The terminals that have confirmed a command and not reported its result.
async fn acked(node: &TestNode, command: &str) -> BTreeSet<String> {
    let (_, page) = get(node.address, &format!("/v1/commands/{command}/targets?state=acked")).await;
    let rows = page["targets"].as_array().into_iter().flatten();
    rows.map(|row| row["terminal"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_report_raises_no_state_of_a_terminal_with_the_same_ordinal_in_another_partition() {
    let cluster = PartitionedCluster::start().await;
    // The first terminal of a partition has the ordinal 0.
    let firsts: BTreeMap<_, _> =
        ids(100).into_iter().rev().map(|id| (partitions().of(&id.parse().unwrap()), id)).collect();
    let mut terminals = BTreeMap::new();
    for id in firsts.into_values() {
        let terminal = cluster.here.terminal_with(&id, |config| config.acknowledge = false).await;
        terminals.insert(id, terminal);
    }
    assert_eq!(terminals.len().to_string(), PARTITIONS);
    let (_, command) = cluster.here.command(r#"{"all":true}"#, "1").await;
    let command = command["id"].as_str().unwrap();
    let mut reported = BTreeSet::new();
    for (name, terminal) in &mut terminals {
        let id = terminal.command().await.id;
        terminal.terminal.send(FromTerminal::Ack(Ack { id })).await.unwrap();
        reported.insert(name.clone());
        until("a report is written", async || acked(&cluster.there, command).await.len() == reported.len()).await;
        assert_eq!(acked(&cluster.there, command).await, reported, "whose state rose, and who reported");
    }
}
