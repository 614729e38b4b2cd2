//! What operators ask for while a node does not hear Redis, and so is not told of it.

use muster_client::{ConnectionEnd, Incoming};
use muster_protocol::api::Protocol::V1;
use muster_testkit::{OnlineTerminal, http::get, wait::until};

use crate::cluster::Cluster;

pub async fn closed(terminal: &mut OnlineTerminal) -> u16 {
    match terminal.next().await {
        Incoming::Gone(ConnectionEnd::Closed { code, .. })
        | Incoming::Offline { end: ConnectionEnd::Closed { code, .. }, .. } => code,
        other => panic!("not closed but {other:?}"),
    }
}

#[tokio::test]
async fn a_terminal_that_is_forgotten_while_its_node_is_deaf_is_told_to_stay_away() {
    let cluster = Cluster::redis(&[]).await;
    let redis = cluster.redis.as_ref().unwrap();
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    redis.deafen().await;
    assert_eq!(cluster.ask("DELETE", "/v1/terminals/far", "").await.0, 200);
    redis.let_hear().await;
    assert_eq!(closed(&mut far).await, 4503);
    assert_eq!(get(cluster.here().address, "/v1/terminals/far").await.0, 404);
    assert_eq!(cluster.get("/v1/fleet").await["online"], 0);
}

#[tokio::test]
async fn a_session_that_is_disconnected_while_its_node_is_deaf_ends_and_the_terminal_comes_back() {
    let cluster = Cluster::redis(&[]).await;
    let redis = cluster.redis.as_ref().unwrap();
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    redis.deafen().await;
    assert_eq!(cluster.ask("DELETE", "/v1/terminals/far/session", "").await.0, 202);
    redis.let_hear().await;
    assert_eq!(closed(&mut far).await, 1012);
    assert!(matches!(far.next().await, Incoming::Online { .. }));
    assert!(cluster.events().await.contains(r#""reason":"disconnected""#));
}

/// The node loses its lease while it is deaf. The terminal is offline by the time it is forgotten, and its session asks to be
/// registered again before the node hears anything.
#[tokio::test]
async fn a_session_that_joins_again_is_refused_if_its_terminal_was_forgotten() {
    let cluster = Cluster::redis(&[]).await;
    let redis = cluster.redis.as_ref().unwrap();
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    let mut other = cluster.there().terminal("other", V1, &[]).await;
    let node = cluster.get("/v1/terminals/far").await["node"].as_str().unwrap().to_owned();
    redis.deafen().await;
    redis.bury_unheard(&node).await;
    assert_eq!(cluster.ask("DELETE", "/v1/terminals/far", "").await.0, 200);
    assert_eq!(closed(&mut far).await, 4503);
    until("the other one is registered again", async || cluster.get("/v1/terminals/other").await["status"] == "online")
        .await;
    assert_eq!(get(cluster.here().address, "/v1/terminals/far").await.0, 404);
    assert!(other.is_quiet());
}

/// The store knows one session of a terminal, the newest. The one before it on another node ends too.
#[tokio::test]
async fn a_session_that_was_replaced_while_its_node_is_deaf_ends_though_the_newer_one_has_gone() {
    let cluster = Cluster::redis(&[]).await;
    let redis = cluster.redis.as_ref().unwrap();
    let mut older = cluster.there().terminal("twice", V1, &[]).await;
    redis.deafen().await;
    let newer = cluster.here().terminal("twice", V1, &[]).await;
    newer.terminal.close().await;
    until("the newer one has gone", async || cluster.get("/v1/terminals/twice").await["status"] == "offline").await;
    redis.let_hear().await;
    assert_eq!(closed(&mut older).await, 4509);
}
