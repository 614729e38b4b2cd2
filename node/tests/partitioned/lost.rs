//! Commands that were lost with a master before a replica had them, while their idempotency key is on another master.

use std::time::Duration;

use jiff::Timestamp;
use muster_protocol::{
    CommandId,
    api::Protocol::V1,
    id::ClusterName,
    partition::{PartitionIndex, homed},
    redis_keys::RedisKeys,
};
use muster_testkit::http::{exchange, get, post as http_post};
use serde_json::{Value, json};

use crate::{
    keys::{key_elsewhere, partitions, post, stored_name, to_one},
    store::{PartitionedCluster, ids},
};

const TO_ALL: &str = r#"{"target":{"all":true},"name":"show","payload":1}"#;
const TO_SOME: &str =
    r#"{"target":{"terminals":["t00","t01","t02","t03","t04","t05","t06","t07"]},"name":"show","payload":1}"#;

fn partition_of(terminal: &str) -> PartitionIndex {
    partitions().of(&terminal.parse().unwrap())
}

/// Takes a command out of a partition, as if the partition's master had failed before a replica had the command.
async fn lose(cluster: &PartitionedCluster, partition: PartitionIndex, id: &str) {
    let keys = RedisKeys::of_partition(&ClusterName::default(), 0, partitions(), partition);
    let stored: Vec<String> = cluster.redis.ask(&["KEYS", &keys.key(&format!("command:{id}*"))]).await.unwrap();
    assert!(!stored.is_empty());
    for key in stored {
        let () = cluster.redis.ask(&["DEL", &key]).await.unwrap();
    }
    let open: Vec<String> = cluster.redis.ask(&["ZRANGE", &keys.key("open"), "0", "-1"]).await.unwrap();
    for entry in open.iter().filter(|entry| entry.starts_with(id)) {
        let () = cluster.redis.ask(&["ZREM", &keys.key("open"), entry]).await.unwrap();
    }
    let backlogs: Vec<String> = cluster.redis.ask(&["KEYS", &keys.key("backlog:*")]).await.unwrap();
    for key in backlogs.iter().chain(&[keys.key("homes"), keys.key("stored")]) {
        let () = cluster.redis.ask(&["ZREM", key, id]).await.unwrap();
    }
}

/// Has a key stand for a command that was accepted so long ago, and of which nothing is stored. Returns the command's id.
async fn accepted_before(cluster: &PartitionedCluster, key: &str, terminal: &str, age: Duration) -> CommandId {
    let then = Timestamp::now() - age;
    let time = uuid::Timestamp::from_unix(uuid::NoContext, then.as_second() as u64, 0);
    let id = homed(CommandId(uuid::Uuid::new_v7(time)), partition_of(terminal));
    let names: Vec<String> = cluster.redis.ask(&["KEYS", &format!("*:key:{}", stored_name(key).0)]).await.unwrap();
    let value: String = cluster.redis.ask(&["GET", &names[0]]).await.unwrap();
    let (_, body) = value.split_once(' ').unwrap();
    let () = cluster.redis.ask(&["SET", &names[0], &format!("{id} {body}")]).await.unwrap();
    id
}

/// Accepts a command with a key in another partition, loses it, has the key stand for an older one, and asks again at the other node.
/// Returns the id of the older one and the answer.
pub async fn older(cluster: &PartitionedCluster, age: Duration) -> (CommandId, u16, Value) {
    cluster.here.was_here("t1", V1).await;
    let (key, body) = (key_elsewhere("t1"), to_one("t1", r#","payload":7,"expires_in":"1h""#));
    let first = post(&cluster.here, &key, &body).await;
    lose(cluster, partition_of("t1"), first.1["id"].as_str().unwrap()).await;
    let id = accepted_before(cluster, &key, "t1", age).await;
    let (status, view) = post(&cluster.there, &key, &body).await;
    (id, status, view)
}

#[tokio::test]
async fn a_lost_command_is_accepted_again_by_its_key_once() {
    let cluster = PartitionedCluster::start().await;
    cluster.here.was_here("t1", V1).await;
    let (key, body) = (key_elsewhere("t1"), to_one("t1", r#","payload":7"#));
    let first = post(&cluster.here, &key, &body).await;
    let id = first.1["id"].as_str().unwrap();
    lose(&cluster, partition_of("t1"), id).await;
    assert_eq!(get(cluster.here.address, &format!("/v1/commands/{id}")).await.0, 404);
    for node in [&cluster.there, &cluster.here] {
        let again = post(node, &key, &body).await;
        assert_eq!((again.0, &again.1["id"], &again.1["targets"]), (202, &first.1["id"], &1.into()), "{}", again.1);
    }
    assert_eq!(get(cluster.here.address, &format!("/v1/commands/{id}")).await.0, 200);
    let mut terminal = cluster.there.terminal("t1", V1, &[]).await;
    assert_eq!(terminal.payload().await, "7");
    assert!(terminal.is_quiet());
}

#[tokio::test]
async fn a_lost_command_that_is_accepted_again_expires_when_it_would_have() {
    let cluster = PartitionedCluster::start().await;
    // Longer ago than the seal allows beyond the command's own time.
    let (id, status, view) = older(&cluster, Duration::from_secs(100)).await;
    assert_eq!((status, &view["id"]), (202, &id.to_string().into()), "{view}");
    let expires_at: Timestamp = view["expires_at"].as_str().unwrap().parse().unwrap();
    let left = expires_at.duration_since(Timestamp::now()).as_secs();
    assert!((3400..=3500).contains(&left), "{left}");
    let mut terminal = cluster.there.terminal("t1", V1, &[]).await;
    assert_eq!(terminal.payload().await, "7", "the seal admits it");
}

#[tokio::test]
async fn a_lost_command_that_has_expired_is_not_accepted_again() {
    let cluster = PartitionedCluster::start().await;
    let (id, status, view) = older(&cluster, Duration::from_secs(3601)).await;
    assert_eq!((status, &view["id"], &view["stored"]), (202, &id.to_string().into(), &false.into()), "{view}");
    let mut terminal = cluster.there.terminal("t1", V1, &[]).await;
    assert_eq!(cluster.here.command(r#"{"terminal":"t1"}"#, "8").await.0, 202);
    assert_eq!(terminal.payload().await, "8");
}

/// Accepts a command for several partitions with a key, and returns its id and a partition beside its home that has a share.
async fn accepted_for_many(cluster: &PartitionedCluster, body: &str) -> (String, PartitionIndex) {
    for id in ids(8) {
        cluster.here.was_here(&id, V1).await;
    }
    let first = post(&cluster.here, "k", body).await;
    assert_eq!(first.0, 202, "{}", first.1);
    let home = stored_name("k").1;
    let share = ids(8).iter().map(|id| partition_of(id)).find(|partition| *partition != home).unwrap();
    (first.1["id"].as_str().unwrap().to_owned(), share)
}

#[tokio::test]
async fn a_share_that_was_lost_is_taken_again_and_the_others_stay() {
    for body in [TO_ALL, TO_SOME] {
        let cluster = PartitionedCluster::start().await;
        let (id, partition) = accepted_for_many(&cluster, body).await;
        lose(&cluster, partition, &id).await;
        for node in [&cluster.there, &cluster.here] {
            let again = post(node, "k", body).await;
            assert_eq!((again.0, again.1["id"].as_str()), (202, Some(&*id)), "{}", again.1);
            assert_eq!((&again.1["targets"], &again.1["counts"]["queued"]), (&8.into(), &8.into()), "{}", again.1);
        }
        for terminal in ids(8) {
            let mut terminal = cluster.there.terminal(&terminal, V1, &[]).await;
            assert_eq!(terminal.payload().await, "1");
            assert!(terminal.is_quiet());
        }
    }
}

#[tokio::test]
async fn a_lost_share_of_what_was_cancelled_is_not_taken_again() {
    let cluster = PartitionedCluster::start().await;
    let (id, partition) = accepted_for_many(&cluster, TO_ALL).await;
    let cancelled = exchange(cluster.here.address, &format!("DELETE /v1/commands/{id} HTTP/1.1\r\n"), "").await;
    assert_eq!(cancelled.0, 200, "{}", cancelled.2);
    lose(&cluster, partition, &id).await;
    let again = post(&cluster.there, "k", TO_ALL).await;
    assert_eq!(again.1["id"].as_str(), Some(&*id), "{}", again.1);
    let keys = RedisKeys::of_partition(&ClusterName::default(), 0, partitions(), partition);
    let is_there: bool = cluster.redis.ask(&["EXISTS", &keys.key(&format!("command:{id}"))]).await.unwrap();
    assert!(!is_there);

    // Who had them is not known, so they are not tried again.
    let lost = ids(8).iter().filter(|id| partition_of(id) == partition).count();
    let (status, again) = http_post(cluster.there.address, &format!("/v1/commands/{id}/retry"), "").await;
    assert_eq!((status, &again["targets"]), (202, &(8 - lost).into()), "{again}");
    assert_eq!(again["lost"], json!([partition]), "{again}");
    let told = get(cluster.here.address, &format!("/v1/commands/{}", again["id"].as_str().unwrap())).await.1;
    assert_eq!(told["lost"], Value::Null, "the new command has lost nothing: {told}");
}
