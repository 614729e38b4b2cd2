//! A drain that is taken back: the node takes sessions again.

use muster_protocol::api::Protocol::V1;
use muster_testkit::{
    TestNode,
    http::{exchange, get, handshake, head_of_answer},
    wait::until,
};
use serde_json::{Value, json};

use crate::cluster::Cluster;

crate::on_both!(a_drained_node_that_stays_takes_sessions_again, a_drain_that_can_t_be_is_refused);

/// The record of the node at this address.
async fn node_at(cluster: &Cluster, node: &TestNode) -> Value {
    let list = cluster.get("/v1/nodes").await;
    let all = list["nodes"].as_array().unwrap();
    all.iter().find(|one| one["address"] == node.address.to_string()).cloned().unwrap_or_default()
}

async fn has_state(cluster: &Cluster, node: &TestNode, state: &str) {
    until(state, async || node_at(cluster, node).await["state"] == state).await;
}

async fn drain_path(cluster: &Cluster, node: &TestNode) -> String {
    format!("/v1/nodes/{}/drain", node_at(cluster, node).await["id"].as_str().unwrap())
}

async fn a_drained_node_that_stays_takes_sessions_again(cluster: Cluster) {
    let (there, at) = (cluster.there(), cluster.there().address);
    let mut far = there.terminal("far", V1, &[]).await;
    let path = drain_path(&cluster, there).await;
    let (status, answer) = cluster.ask("POST", &format!("{path}?stay=1"), "").await;
    assert_eq!((status, &answer["state"]), (202, &json!("draining")), "{answer}");
    has_state(&cluster, there, "draining").await;
    until("its sessions are gone", async || {
        get(at, "/v1/terminals/far").await.1["status"] == "offline" && get(at, "/readyz").await.0 == 503
    })
    .await;
    let refused = head_of_answer(at, &handshake("?terminal_id=other", "")).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    let (status, answer) = cluster.ask("DELETE", &path, "").await;
    assert_eq!((status, &answer["state"]), (202, &json!("ready")), "{answer}");
    has_state(&cluster, there, "ready").await;
    until("the terminal is back", async || get(at, "/v1/terminals/far").await.1["status"] == "online").await;
    assert_eq!(there.command(r#"{"terminal":"far"}"#, "1").await.0, 202);
    until("it gets commands", async || {
        let told = far.told.try_recv();
        matches!(told, Ok(muster_client::Incoming::Command { .. }))
    })
    .await;
    assert_eq!(get(at, "/readyz").await.0, 200);
}

async fn a_drain_that_can_t_be_is_refused(cluster: Cluster) {
    let path = drain_path(&cluster, cluster.there()).await;
    for (method, path, expected) in [
        ("DELETE", "/v1/nodes/none/drain", 404),
        ("POST", format!("{path}?stay=yes").as_str(), 400),
        ("POST", format!("{path}?hold=1").as_str(), 400),
        ("DELETE", path.as_str(), 202),
    ] {
        assert_eq!(cluster.ask(method, path, "").await.0, expected, "{method} {path}");
    }
    assert_eq!(node_at(&cluster, cluster.there()).await["state"], "ready");
}

/// Of two nodes that start now, one waits for its turn to drain.
#[tokio::test]
async fn a_drain_that_has_not_begun_is_taken_back_and_no_session_is_closed() {
    let cluster = Cluster::redis(&[]).await;
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    let path = drain_path(&cluster, cluster.there()).await;
    assert_eq!(cluster.ask("POST", &path, "").await.0, 202);
    has_state(&cluster, cluster.there(), "leaving").await;
    assert_eq!(cluster.ask("DELETE", &path, "").await.0, 202);
    has_state(&cluster, cluster.there(), "ready").await;
    assert!(far.is_quiet());
}

#[tokio::test]
async fn a_node_that_stays_ends_when_its_process_is_told_to_or_a_drain_is_asked_for() {
    for is_drained in [true, false] {
        let node = TestNode::start(&["--insecure"]).await;
        let nodes = get(node.address, "/v1/nodes").await.1;
        let path = format!("/v1/nodes/{}/drain", nodes["nodes"][0]["id"].as_str().unwrap());
        let ask = async |query: &str| exchange(node.address, &format!("POST {path}{query} HTTP/1.1\r\n"), "").await.0;
        assert_eq!(ask("?stay=1").await, 202);
        until("it has drained", async || get(node.address, "/readyz").await.0 == 503).await;
        if is_drained {
            assert_eq!(ask("").await, 202);
            node.leaves().await;
        } else {
            node.stop().await;
        }
    }
}
