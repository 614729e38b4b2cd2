//! Idempotency keys over several partitions and two nodes.

use muster_protocol::{
    api::Protocol::V1,
    partition::{PartitionIndex, Partitions},
};
use muster_testkit::{TestNode, http::exchange};
use serde_json::Value;

use crate::store::{PARTITIONS, PartitionedCluster, ids};

/// The name under which a key of nobody is stored, and its partition.
pub fn stored_name(key: &str) -> (String, PartitionIndex) {
    let whole = format!("\n{key}");
    let hash = ring::digest::digest(&ring::digest::SHA256, whole.as_bytes());
    let name = data_encoding::HEXLOWER.encode(&hash.as_ref()[..16]);
    let lies = partitions().of_text(&name);
    (name, lies)
}

pub fn partitions() -> Partitions {
    Partitions::new(PARTITIONS.parse().unwrap()).unwrap()
}

/// A key in another partition than the terminal.
pub fn key_elsewhere(terminal: &str) -> String {
    let lies = partitions().of(&terminal.parse().unwrap());
    (0..).map(|number| format!("k{number}")).find(|key| stored_name(key).1 != lies).unwrap()
}

pub async fn post(node: &TestNode, key: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let head = format!("POST /v1/commands HTTP/1.1\r\nIdempotency-Key: {key}\r\nContent-Length: {length}\r\n");
    let (status, _, answer) = exchange(node.address, &head, body).await;
    (status, serde_json::from_str(&answer).unwrap())
}

pub fn to_one(terminal: &str, fields: &str) -> String {
    format!(r#"{{"target":{{"terminal":"{terminal}"}},"name":"show"{fields}}}"#)
}

/// Has a key as a node leaves it that ends after it reserved the key.
async fn reserve_again(cluster: &PartitionedCluster, key: &str) {
    let names: Vec<String> = cluster.redis.ask(&["KEYS", &format!("*:key:{}", stored_name(key).0)]).await.unwrap();
    assert_eq!(names.len(), 1, "{names:?}");
    let value: String = cluster.redis.ask(&["GET", &names[0]]).await.unwrap();
    // What `key.lua` stores: the id, the hash of the body, and the state.
    let reserved = value.split(' ').take(2).chain(["reserved"]).collect::<Vec<_>>().join(" ");
    let () = cluster.redis.ask(&["SET", &names[0], &reserved]).await.unwrap();
}

#[tokio::test]
async fn a_key_makes_one_command_wherever_it_lies_and_whoever_is_asked() {
    let cluster = PartitionedCluster::start().await;
    let mut terminal = cluster.here.terminal("t1", V1, &[]).await;
    let lies = partitions().of(&"t1".parse().unwrap());
    let elsewhere = ids(30).into_iter().find(|id| partitions().of(&id.parse().unwrap()) != lies).unwrap();
    cluster.here.was_here(&elsewhere, V1).await;
    for number in 0..10 {
        let (key, body) = (format!("k{number}"), to_one("t1", &format!(r#","payload":{number}"#)));
        let (first, again) = (post(&cluster.here, &key, &body).await, post(&cluster.there, &key, &body).await);
        assert_eq!((first.0, again.0, &first.1["id"]), (202, 202, &again.1["id"]));
        let other = post(&cluster.there, &key, &to_one("t1", "")).await;
        assert_eq!(other.0, 422, "{}", other.1);
        let other = post(&cluster.there, &key, &to_one(&elsewhere, "")).await;
        assert_eq!(other.0, 422, "a terminal of another partition: {}", other.1);
        assert_eq!(terminal.payload().await, number.to_string());
    }
    assert!(terminal.is_quiet());
}

#[tokio::test]
async fn a_command_for_many_is_found_again_by_its_key() {
    let cluster = PartitionedCluster::start().await;
    let mut terminals = Vec::new();
    for id in ids(8) {
        terminals.push(cluster.here.terminal(&id, V1, &[]).await);
    }
    let body = r#"{"target":{"all":true},"name":"show","payload":1}"#;
    let (first, again) = (post(&cluster.here, "k", body).await, post(&cluster.there, "k", body).await);
    assert_eq!((first.0, again.0, &first.1["id"]), (202, 202, &again.1["id"]));
    for terminal in &mut terminals {
        assert_eq!(terminal.payload().await, "1");
        assert!(terminal.is_quiet());
    }
}

#[tokio::test]
async fn a_key_of_a_command_for_many_is_found_though_its_terminals_are_forgotten() {
    let cluster = PartitionedCluster::start().await;
    for id in ids(4) {
        cluster.here.was_here(&id, V1).await;
    }
    let body = r#"{"target":{"terminals":["t00","t01","t02","t03"]},"name":"show"}"#;
    let first = post(&cluster.here, "k", body).await;
    assert_eq!(first.0, 202, "{}", first.1);
    exchange(cluster.here.address, "DELETE /v1/terminals/t02 HTTP/1.1\r\n", "").await;
    let again = post(&cluster.there, "k", body).await;
    assert_eq!((again.0, &again.1["id"]), (202, &first.1["id"]), "{}", again.1);
}

#[tokio::test]
async fn a_node_that_ended_before_it_confirmed_a_key_leaves_one_command() {
    let cluster = PartitionedCluster::start().await;
    let mut terminal = cluster.here.terminal("t1", V1, &[]).await;
    let (key, body) = (key_elsewhere("t1"), to_one("t1", r#","payload":7"#));
    let first = post(&cluster.here, &key, &body).await;
    reserve_again(&cluster, &key).await;
    let again = post(&cluster.there, &key, &body).await;
    assert_eq!((again.0, &again.1["id"]), (202, &first.1["id"]), "{}", again.1);
    assert_eq!(terminal.payload().await, "7");
    assert!(terminal.is_quiet());
}

#[tokio::test]
async fn a_node_that_ended_before_it_accepted_what_it_had_reserved_leaves_the_id() {
    let cluster = PartitionedCluster::start().await;
    cluster.here.was_here("t1", V1).await;
    let (key, body) = (key_elsewhere("t1"), to_one("t1", r#","payload":7"#));
    let first = post(&cluster.here, &key, &body).await;
    reserve_again(&cluster, &key).await;
    let id = first.1["id"].as_str().unwrap();
    let stored: Vec<String> = cluster.redis.ask(&["KEYS", &format!("*:command:{id}")]).await.unwrap();
    let () = cluster.redis.ask(&["DEL", &stored[0]]).await.unwrap();
    for node in [&cluster.there, &cluster.here] {
        let again = post(node, &key, &body).await;
        assert_eq!((again.0, &again.1["id"]), (202, &first.1["id"]), "{}", again.1);
    }
    let mut terminal = cluster.there.terminal("t1", V1, &[]).await;
    assert_eq!(terminal.payload().await, "7");
    assert!(terminal.is_quiet());
}

#[tokio::test]
async fn a_request_that_waits_is_answered_when_the_last_target_of_any_partition_has_confirmed() {
    let cluster = PartitionedCluster::start().await;
    let mut terminals = Vec::new();
    for id in ids(6) {
        terminals.push(cluster.there.terminal(&id, V1, &[]).await);
    }
    for target in [r#"{"all":true}"#, r#"{"terminal":"t00"}"#] {
        let body = format!(r#"{{"target":{target},"name":"show","confirm":"result"}}"#);
        let head = format!("POST /v1/commands?wait=60s HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
        let wait = async {
            let (status, _, answer) = exchange(cluster.here.address, &head, &body).await;
            assert_eq!(status, 200, "{answer}");
            std::time::Instant::now()
        };
        let run = async {
            let count = if target.contains("all") { 6 } else { 1 };
            let mut ids = Vec::new();
            for terminal in &mut terminals[..count] {
                ids.push(terminal.command().await.id);
            }
            // The request has looked whether it is done, and waits.
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            for (terminal, id) in terminals.iter().zip(ids) {
                terminal.terminal.result(id, true, Default::default()).await.unwrap();
            }
            std::time::Instant::now()
        };
        let (answered, ended) = tokio::join!(wait, run);
        let late = answered.saturating_duration_since(ended);
        assert!(late.as_secs() < 4, "{target}: it looked again by itself, {late:?} later");
    }
}

#[tokio::test]
async fn a_key_of_a_command_that_was_refused_may_be_used_anew() {
    let cluster = PartitionedCluster::start().await;
    cluster.here.was_here("t1", V1).await;
    let key = key_elsewhere("t1");
    let refused = post(&cluster.here, &key, &to_one("t1", r#","offline":"skip""#)).await;
    assert_eq!(refused.0, 409, "{}", refused.1);
    let accepted = post(&cluster.there, &key, &to_one("t1", "")).await;
    assert_eq!(accepted.0, 202, "{}", accepted.1);
}
