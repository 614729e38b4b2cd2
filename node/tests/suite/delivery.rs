//! Commands reach whom they are for, once and in order, and what terminals say comes back.

use muster_client::{ConnectionEnd, Incoming, SendError};
use muster_protocol::api::Protocol::{Plain, V1};
use muster_testkit::{
    http::{get, post},
    wait::until,
};

use crate::cluster::Cluster;

crate::on_both!(
    a_command_for_one_reaches_it_alone_and_is_acked,
    a_broadcast_reaches_all_once_and_in_order,
    labels_and_lists_select,
    unknown_and_offline_terminals_are_named,
    the_newer_session_replaces_the_older,
    what_a_plain_terminal_sends_is_an_event,
    a_reply_over_the_limit_fails_its_command_and_keeps_the_session
);

async fn a_command_for_one_reaches_it_alone_and_is_acked(cluster: Cluster) {
    let mut near = cluster.here().terminal("near", V1, &[]).await;
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    let (status, command) = cluster.here().command(r#"{"terminal":"far"}"#, r#"{"n":1.50}"#).await;
    assert_eq!((status, &command["targets"]), (202, &1.into()));
    assert_eq!(far.payload().await, r#"{"n":1.50}"#);
    cluster.there().counts(command["id"].as_str().unwrap(), 0, 0, 1).await;
    assert!(near.is_quiet());
}

async fn a_broadcast_reaches_all_once_and_in_order(cluster: Cluster) {
    let mut near = cluster.here().terminal("near", V1, &[]).await;
    let mut far = cluster.there().terminal("far", Plain, &[]).await;
    let mut last = String::new();
    for number in 0..100 {
        let (status, command) = cluster.here().command(r#"{"all":true}"#, &number.to_string()).await;
        assert_eq!(status, 202);
        last = command["id"].as_str().unwrap().to_owned();
    }
    for number in 0..100 {
        assert_eq!((near.payload().await, far.payload().await), (number.to_string(), number.to_string()));
    }
    // A plain terminal confirms nothing.
    cluster.here().counts(&last, 0, 1, 1).await;
    assert!(near.is_quiet() && far.is_quiet());
}

async fn labels_and_lists_select(cluster: Cluster) {
    let mut bj = cluster.here().terminal("bj", V1, &[("site", "bj"), ("kind", "kiosk")]).await;
    let mut sh = cluster.there().terminal("sh", V1, &[("site", "sh"), ("kind", "kiosk")]).await;
    for (target, targets) in [
        (r#"{"labels":{"site":"sh","kind":"kiosk"}}"#, 1),
        (r#"{"labels":{"kind":"kiosk"}}"#, 2),
        (r#"{"terminals":["sh","bj","sh"]}"#, 2),
        (r#"{"labels":{"site":"nowhere"}}"#, 0),
    ] {
        // A command for nobody has no targets, or is refused.
        let answer = cluster.here().command(target, r#""x""#).await.1;
        assert_eq!(answer["targets"].as_u64().unwrap_or(0), targets, "{target}");
    }
    for _ in 0..2 {
        bj.payload().await;
    }
    for _ in 0..3 {
        sh.payload().await;
    }
    assert!(bj.is_quiet() && sh.is_quiet());
}

async fn unknown_and_offline_terminals_are_named(cluster: Cluster) {
    let far = cluster.there().terminal("far", V1, &[]).await;
    let (status, problem) = cluster.here().command(r#"{"terminals":["far","nobody"]}"#, "1").await;
    assert_eq!((status, problem["detail"].as_str().unwrap()), (404, "no such terminal: nobody"));
    far.terminal.close().await;
    until("it is offline", async || get(cluster.here().address, "/v1/terminals/far").await.1["status"] == "offline")
        .await;
    let skip = r#"{"target":{"terminal":"far"},"name":"show","offline":"skip"}"#;
    let (status, problem) = post(cluster.here().address, "/v1/commands", skip).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().ends_with(": far"), "{problem}");
}

async fn the_newer_session_replaces_the_older(cluster: Cluster) {
    let mut older = cluster.here().terminal("t1", V1, &[]).await;
    let mut newer = cluster.there().terminal("t1", V1, &[]).await;
    let gone = older.next().await;
    assert!(matches!(&gone, Incoming::Gone(ConnectionEnd::Closed { code: 4509, .. })), "{gone:?}");
    assert_eq!(cluster.here().command(r#"{"terminal":"t1"}"#, "1").await.0, 202);
    assert_eq!(newer.payload().await, "1");
}

async fn what_a_plain_terminal_sends_is_an_event(cluster: Cluster) {
    let far = cluster.there().terminal("far", Plain, &[]).await;
    far.terminal.send_text("doo\"r\nopen").await.unwrap();
    far.terminal.send_text("x".repeat(10_000)).await.unwrap();
    let mut events = String::new();
    until("the event is there", async || {
        events = cluster.events().await;
        events.contains("too_large")
    })
    .await;
    assert!(events.contains(r#""name":"message","payload":"doo\"r\nopen""#), "{events}");
}

async fn a_reply_over_the_limit_fails_its_command_and_keeps_the_session(cluster: Cluster) {
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    let payload = serde_json::to_string(&"x".repeat(100_000)).unwrap();
    let command = cluster.here().command(r#"{"terminal":"far"}"#, &payload).await.1;
    let command = command["id"].as_str().unwrap();
    let received = far.command().await;
    let refused = far.terminal.result(received.id, true, received.payload).await;
    assert!(matches!(refused, Err(SendError::TooLarge { limit: 65536, .. })), "{refused:?}");
    let targets = format!("/v1/commands/{command}/targets");
    until("the command failed", async || {
        let target = get(cluster.here().address, &targets).await.1["targets"][0].clone();
        target["state"] == "failed" && target["payload"]["error"] == "too_large"
    })
    .await;
    assert!(far.is_quiet(), "the session ended");
}
