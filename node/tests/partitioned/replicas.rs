//! `--redis-replicas`: what counts as accepted must be on replicas, on each master that has a part of it.

use std::time::Duration;

use muster_protocol::{
    api::Protocol::V1,
    id::ClusterName,
    partition::{PartitionIndex, Partitions},
    redis_keys::RedisKeys,
};
use muster_testkit::{
    TestCluster, TestNode, TestRedis,
    http::{exchange, get, post},
    wait::until,
};
use serde_json::{Value, json};

use crate::{
    lost::older,
    store::{PARTITIONS, PartitionedCluster, ids},
};

const TO_ALL: &str = r#"{"all":true}"#;
const TO_ONE: &str = r#"{"terminal":"t00"}"#;

fn flags(url: &str) -> [&str; 7] {
    ["--insecure", "--redis", url, "--partitions", PARTITIONS, "--redis-replicas", "1"]
}

async fn replica_of(master: &TestRedis) -> TestRedis {
    let replica = TestRedis::start().await;
    let () = master.ask(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]).await.unwrap();
    let () = replica.ask(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]).await.unwrap();
    replica
}

/// Posts a command with an idempotency key.
async fn keyed(node: &TestNode, target: &str, key: &str) -> (u16, Value) {
    let body = format!(r#"{{"target":{target},"name":"show","payload":7}}"#);
    let head = format!("POST /v1/commands HTTP/1.1\r\nIdempotency-Key: {key}\r\nContent-Length: {}\r\n", body.len());
    let (status, _, body) = exchange(node.address, &head, &body).await;
    (status, serde_json::from_str(&body).unwrap())
}

fn is_unreplicated((status, problem): &(u16, Value)) -> bool {
    *status == 504 && problem["detail"].as_str().unwrap().contains("--redis-replicas")
}

#[tokio::test]
async fn what_no_replica_has_is_not_accepted_until_one_has_it() {
    let master = TestRedis::start().await;
    let node = TestNode::start(&flags(&master.url)).await;
    let mut terminal = node.terminal("t00", V1, &[]).await;
    for target in [TO_ONE, TO_ALL] {
        for _ in 0..2 {
            let answer = keyed(&node, target, target).await;
            assert!(is_unreplicated(&answer), "{target}: {answer:?}");
        }
    }
    let _replica = replica_of(&master).await;
    for target in [TO_ONE, TO_ALL] {
        until("it is accepted", async || keyed(&node, target, target).await.0 == 202).await;
        assert_eq!(keyed(&node, target, target).await.1["targets"], 1, "once");
    }
    for target in [TO_ONE, TO_ALL] {
        let (status, problem) = node.command(target, "2").await;
        assert_eq!(status, 202, "{problem}");
    }
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(terminal.payload().await);
    }
    assert_eq!(told[2..], ["2", "2"], "{told:?}");
    assert!(terminal.is_quiet());
}

#[tokio::test]
async fn what_a_master_took_before_it_became_a_replica_is_not_told_to_be_refused() {
    let master = TestRedis::start().await;
    let node = TestNode::start(&flags(&master.url)).await;
    let mut terminal = node.terminal("t00", V1, &[]).await;
    let demote = async {
        until("the command waits for a replica", async || {
            master.ask::<String>(&["INFO", "clients"]).await.unwrap().contains("blocked_clients:1")
        })
        .await;
        let () = master.ask(&["REPLICAOF", "127.0.0.1", "1"]).await.unwrap();
    };
    let (answer, ()) = tokio::join!(node.command(TO_ALL, "1"), demote);
    assert!(is_unreplicated(&answer), "{answer:?}");
    assert_eq!(terminal.payload().await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_master_that_has_a_part_of_a_command_must_have_a_replica() {
    let mut cluster = TestCluster::start().await;
    let node = TestNode::start(&flags(&cluster.url())).await;
    let ids = ids(12);
    for id in &ids {
        node.was_here(id, V1).await;
    }
    until("all is replicated", async || node.command(TO_ALL, "0").await.0 == 202).await;
    cluster.servers[4].kill();
    until("the master knows", async || {
        cluster.servers[1].text("INFO replication").await.contains("connected_slaves:0")
    })
    .await;
    let partitions = Partitions::new(PARTITIONS.parse().unwrap()).unwrap();
    let mut lost = 0;
    for id in &ids {
        let index: PartitionIndex = partitions.of(&id.parse().unwrap());
        let tag = RedisKeys::of_partition(&ClusterName::default(), 0, partitions, index).tag().to_owned();
        let slot: u16 = cluster.servers[0].ask(&format!("CLUSTER KEYSLOT {tag}")).await.unwrap();
        let answer = node.command(&format!(r#"{{"terminal":"{id}"}}"#), "1").await;
        if (5461..=10922).contains(&slot) {
            assert!(is_unreplicated(&answer), "{id}: {answer:?}");
            lost += 1;
        } else {
            assert_eq!(answer.0, 202, "{id}: {}", answer.1);
        }
    }
    assert!((1..12).contains(&lost), "{lost}");
    let answer = node.command(TO_ALL, "2").await;
    assert!(is_unreplicated(&answer), "{answer:?}");
}

/// Starts a node whose master has a replica, with terminals that are away in all partitions, and has a command for them accepted with a
/// key.
async fn accepted(master: &TestRedis) -> (TestNode, String) {
    let node = TestNode::start(&flags(&master.url)).await;
    for id in ids(8) {
        node.was_here(&id, V1).await;
    }
    until("it is accepted", async || keyed(&node, TO_ALL, "k").await.0 == 202).await;
    let (_, view) = keyed(&node, TO_ALL, "k").await;
    (node, view["id"].as_str().unwrap().to_owned())
}

/// Takes the shares of a command out of the store, as if a master had failed before its replica had them. Returns how many there were.
async fn lose_shares(master: &TestRedis, id: &str, is_lost: impl Fn(&RedisKeys) -> bool) -> usize {
    let mut lost = 0;
    for keys in master.partitions().await.iter().filter(|keys| is_lost(keys)) {
        lost += master.ask::<usize>(&["DEL", &keys.key(&format!("command:{id}"))]).await.unwrap();
    }
    lost
}

#[tokio::test]
async fn a_lost_share_that_nothing_needs_any_more_does_not_keep_a_command_from_being_replicated() {
    let master = TestRedis::start().await;
    let _replica = replica_of(&master).await;
    let (node, id) = accepted(&master).await;
    let keys = master.partition_of("t00").await;
    let mut terminal = node.terminal("t00", V1, &[]).await;
    assert_eq!(terminal.payload().await, "7");
    let partition = |terminal: &String| Partitions::new(5).unwrap().of(&terminal.parse().unwrap());
    for other in ids(8).iter().filter(|other| *other != "t00" && partition(other) == partition(&"t00".into())) {
        assert_eq!(node.terminal(other, V1, &[]).await.payload().await, "7");
    }
    let settled = format!("settled:{}", partition(&"t00".into()).0);
    until("its targets there are settled", async || {
        let home = master.partitions().await.into_iter().map(|keys| keys.key(&format!("home:{id}")));
        for home in home {
            if master.ask::<bool>(&["HEXISTS", &home, &settled]).await.unwrap() {
                return true;
            }
        }
        false
    })
    .await;
    assert_eq!(lose_shares(&master, &id, |lost| lost.tag() == keys.tag()).await, 1);
    let (status, view) = keyed(&node, TO_ALL, "k").await;
    assert_eq!((status, view["id"].as_str()), (202, Some(&*id)), "{view}");
    assert!(terminal.is_quiet(), "it is not run again");
    tells_what_is_lost(&node, &id, partition(&"t00".into())).await;
}

/// Checks that the command and its targets say that a partition has lost its share, and how many targets that had.
async fn tells_what_is_lost(node: &TestNode, id: &str, lost: PartitionIndex) {
    let partition = |terminal: &String| Partitions::new(5).unwrap().of(&terminal.parse().unwrap());
    let left: Vec<_> = ids(8).into_iter().filter(|terminal| partition(terminal) != lost).collect();
    let (_, view) = get(node.address, &format!("/v1/commands/{id}")).await;
    assert_eq!((&view["targets"], &view["lost"]), (&8.into(), &json!([lost])), "{view}");
    let counted: u64 = view["counts"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(counted, left.len() as u64, "{view}");
    let (_, page) = get(node.address, &format!("/v1/commands/{id}/targets")).await;
    assert_eq!(page["lost"], json!([lost]), "{page}");
    assert_eq!(page["targets"].as_array().unwrap().len(), left.len(), "{page}");
    let (status, refusal) = post(node.address, &format!("/v1/commands/{id}/retry"), "").await;
    assert_eq!(status, 409, "{refusal}");
    let detail = refusal["detail"].as_str().unwrap();
    assert!(detail.ends_with(&format!("the targets in partition {lost} are lost")), "{detail}");
}

#[tokio::test]
async fn lost_shares_of_what_was_cancelled_do_not_keep_a_command_from_being_replicated() {
    let master = TestRedis::start().await;
    let _replica = replica_of(&master).await;
    let (node, id) = accepted(&master).await;
    let cancelled = exchange(node.address, &format!("DELETE /v1/commands/{id} HTTP/1.1\r\n"), "").await;
    assert_eq!(cancelled.0, 200, "{}", cancelled.2);
    assert!(lose_shares(&master, &id, |_| true).await > 0);
    let (status, view) = keyed(&node, TO_ALL, "k").await;
    assert_eq!((status, view["id"].as_str()), (202, Some(&*id)), "{view}");
}

#[tokio::test]
async fn who_asks_again_for_what_was_lost_and_has_expired_is_not_kept_waiting_for_replicas() {
    let master = TestRedis::start().await;
    let _replica = replica_of(&master).await;
    let cluster = PartitionedCluster::start_on(master, &["--redis-replicas", "1"]).await;
    cluster.here.was_here("t00", V1).await;
    until("commands are accepted", async || cluster.here.command(TO_ONE, "0").await.0 == 202).await;
    let (id, status, view) = older(&cluster, Duration::from_secs(3601)).await;
    assert_eq!((status, &view["id"], &view["stored"]), (202, &id.to_string().into(), &false.into()), "{view}");
}
