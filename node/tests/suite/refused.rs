//! What is refused so that the store keeps within its bounds.

use muster_protocol::api::Protocol::Plain;
use serde_json::json;

use crate::cluster::Cluster;

crate::on_both!(a_large_payload_is_for_few_terminals_alone);

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
