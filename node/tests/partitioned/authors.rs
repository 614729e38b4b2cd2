//! Who asked for a command, of whom, and with which payload.

use muster_protocol::{api::Protocol::V1, token::Scope};
use muster_testkit::{
    TestNode, TestRedis,
    http::exchange,
    token::{SECRET, key_of},
};
use serde_json::{Value, json};

use crate::store::PARTITIONS;

async fn ask(node: &TestNode, call: &str, operator: &str, headers: &str, body: &str) -> (u16, Value) {
    let bearer = format!("Authorization: Bearer {}\r\n", key_of(operator, Scope::Command));
    let head = format!("{call} HTTP/1.1\r\n{bearer}{headers}Content-Length: {}\r\n", body.len());
    let (status, _, answer) = exchange(node.address, &head, body).await;
    (status, serde_json::from_str(&answer).unwrap())
}

async fn two_nodes(redis: Option<&TestRedis>) -> (TestNode, Option<TestNode>) {
    let mut flags = vec!["--insecure", "--secret", SECRET];
    flags.extend(redis.iter().flat_map(|redis| ["--redis", &redis.url, "--partitions", PARTITIONS]));
    let here = TestNode::start(&flags).await;
    let there = if redis.is_some() { Some(TestNode::start(&flags).await) } else { None };
    (here, there)
}

#[tokio::test]
async fn a_command_shows_who_asked_of_whom_and_with_what() {
    let redis = TestRedis::start().await;
    for redis in [Some(&redis), None] {
        let (here, there) = two_nodes(redis).await;
        let there = there.as_ref().unwrap_or(&here);
        for id in ["t1", "t2", "t3"] {
            here.was_here(id, V1).await;
        }
        for target in [json!({"terminal": "t1"}), json!({"terminals": ["t1", "t2"]}), json!({"all": true})] {
            let body = json!({"target": target, "name": "show", "payload": {"page": 1}}).to_string();
            let (status, accepted) = ask(&here, "POST /v1/commands", "ann", "", &body).await;
            assert_eq!((status, &accepted["by"]), (202, &json!("ann")), "{accepted}");
            let call = format!("GET /v1/commands/{}", accepted["id"].as_str().unwrap());
            let (_, shown) = ask(there, &call, "bob", "", "").await;
            assert_eq!((&shown["by"], &shown["target"]), (&json!("ann"), &target), "{shown}");
            assert_eq!(shown["payload"], json!({"page": 1}));
        }
    }
}

#[tokio::test]
async fn a_key_of_two_operators_is_two_keys() {
    let redis = TestRedis::start().await;
    for redis in [Some(&redis), None] {
        let (here, there) = two_nodes(redis).await;
        let there = there.as_ref().unwrap_or(&here);
        here.was_here("t1", V1).await;
        let body = json!({"target": {"terminal": "t1"}, "name": "show"}).to_string();
        let keyed =
            async |node, operator| ask(node, "POST /v1/commands", operator, "Idempotency-Key: k\r\n", &body).await;
        let (ann, bob, again) = (keyed(&here, "ann").await, keyed(there, "bob").await, keyed(there, "ann").await);
        assert_eq!([ann.0, bob.0, again.0], [202, 202, 202]);
        assert!(ann.1["id"] != bob.1["id"] && ann.1["id"] == again.1["id"], "{} {} {}", ann.1, bob.1, again.1);
    }
}
