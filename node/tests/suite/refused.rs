//! What is refused so that the store keeps within its bounds.

use futures_util::{StreamExt, future::join_all};
use muster_protocol::api::Protocol::Plain;
use muster_testkit::{http::request, wait::until};
use serde_json::json;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, Message},
};

use crate::cluster::Cluster;

crate::on_both!(a_large_payload_is_for_few_terminals_alone, a_new_terminal_is_refused_while_too_many_ordinals_are_free);

/// The longest payload of a command for many, as JSON.
const MANY: usize = 64 << 10;

async fn a_large_payload_is_for_few_terminals_alone(cluster: Cluster) {
    let _terminals =
        (cluster.here().terminal("t1", Plain, &[]).await, cluster.there().terminal("t2", Plain, &[]).await);
    let ask = async |target: serde_json::Value, bytes: usize, query: &str| {
        let body = json!({"target": target, "name": "x", "payload": "x".repeat(bytes - 2)}).to_string();
        cluster.ask("POST", &format!("/v1/commands{query}"), &body).await
    };
    let named = |count: usize| json!({"terminals": (0..count).map(|n| format!("none{n}")).collect::<Vec<_>>()});
    for target in [json!({"all": true}), json!({"labels": {"site": "a"}}), named(513)] {
        for query in ["", "?dry_run=1"] {
            let (status, problem) = ask(target.clone(), MANY + 1, query).await;
            let detail = problem["detail"].as_str().unwrap();
            assert_eq!(status, 413, "{problem}");
            assert!(detail.contains("payload") && detail.contains("65537") && detail.contains("65536"), "{detail}");
        }
    }
    assert_eq!(ask(json!({"all": true}), MANY, "").await.0, 202);
    for (target, status) in
        [(json!({"terminal": "t1"}), 202), (json!({"terminals": ["t1", "t2"]}), 202), (named(512), 404)]
    {
        assert_eq!(ask(target.clone(), MANY + 1, "").await.0, status, "{target}");
    }
}

async fn a_new_terminal_is_refused_while_too_many_ordinals_are_free(cluster: Cluster) {
    let node = cluster.here();
    let url = |terminal: &str| format!("ws://{}/ws?terminal_id={terminal}", node.address);
    let freed = match &cluster.redis {
        Some(redis) => Some(redis.partition_of("new").await.key("freed")),
        None => None,
    };
    node.was_here("known", Plain).await;
    match (&cluster.redis, &freed) {
        (Some(redis), Some(freed)) => {
            let numbers: Vec<_> = (0..1001).map(|n| format!("{} 9999999999999", 10_000 + n)).collect();
            let words: Vec<_> = ["RPUSH", freed].into_iter().chain(numbers.iter().map(String::as_str)).collect();
            let () = redis.ask(&words).await.unwrap();
        }
        _ => {
            // As long as this command is stored, no ordinal is given again.
            let (status, _) = node.command(r#"{"terminal":"known"}"#, "1").await;
            assert_eq!(status, 202);
            let ids: Vec<_> = (0..1001).map(|n| format!("guest{n}")).collect();
            for some in ids.chunks(50) {
                join_all(some.iter().map(|id| node.was_here(id, Plain))).await;
                join_all(some.iter().map(async |id| cluster.ask("DELETE", &format!("/v1/terminals/{id}"), "").await))
                    .await;
            }
        }
    }
    if cluster.redis.is_some() {
        // Nobody asks the store before a handshake until it has refused one.
        let (mut first, _) = connect_async(url("new")).await.unwrap();
        let Some(Ok(Message::Close(Some(close)))) = first.next().await else { panic!("it was let in") };
        assert_eq!((u16::from(close.code), close.reason.as_str()), (1001, r#"{"retry_ms":30000}"#));
    }
    let Err(Error::Http(refusal)) = connect_async(url("new")).await else { panic!("it was let in") };
    assert_eq!((refusal.status().as_u16(), refusal.headers()["retry-after"].as_bytes()), (429, &b"30"[..]));
    node.was_here("known", Plain).await;
    let metrics = request(node.address, "GET /metrics HTTP/1.1\r\n").await.2;
    let refused = if cluster.redis.is_some() { 2 } else { 1 };
    assert!(metrics.lines().any(|line| line == format!("muster_registrations_refused_total {refused}")), "{metrics}");
    until("followers are told", async || cluster.events().await.contains("store.ordinals")).await;
    if let (Some(redis), Some(freed)) = (&cluster.redis, &freed) {
        let () = redis.ask(&["DEL", freed]).await.unwrap();
        node.was_here("new", Plain).await;
    }
}
