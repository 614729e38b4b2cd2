//! The registry: which terminals are online, on which node, and in which condition.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use muster_client::{ConnectionEnd, Incoming};
use muster_protocol::{
    Payload,
    api::Protocol::{Plain, V1},
    frame::{Condition, FromTerminal, Health},
};
use muster_testkit::{http::get, wait::until};
use serde_json::json;
use tokio::time;

use crate::cluster::Cluster;

crate::on_both!(
    the_registry_pages_in_order,
    the_fleet_is_counted,
    labels_that_operators_put_select_and_stay,
    an_operator_ends_a_session_and_forgets_a_terminal,
    a_terminal_that_is_forgotten_while_online_goes_with_one_event,
    a_terminal_that_was_forgotten_is_new_however_often_it_connects,
    a_lost_terminals_will_is_published_once_and_one_that_left_has_none
);

mod pinged_often {
    use super::one_that_falls_silent_is_stale_then_offline;
    crate::on_both!(one_that_falls_silent_is_stale_then_offline | ["--ping", "1s"]);
}

async fn the_registry_pages_in_order(cluster: Cluster) {
    let mut terminals = Vec::new();
    for id in ["c", "a", "b"] {
        terminals.push(cluster.there().terminal(id, V1, &[("site", "bj")]).await);
    }
    let ids = async |query: &str| {
        let page = cluster.get(&format!("/v1/terminals{query}")).await;
        let ids: Vec<_> =
            page["terminals"].as_array().unwrap().iter().map(|t| t["id"].as_str().unwrap().to_owned()).collect();
        (ids.join(","), page["next"].as_str().map(str::to_owned))
    };
    assert_eq!(ids("?limit=2&selector=site=bj").await, ("a,b".into(), Some("b".into())));
    assert_eq!(ids("?limit=2&after=b").await, ("c".into(), None));
    assert_eq!(ids("?status=offline").await, (String::new(), None));
    assert_eq!(ids("?prefix=b").await, ("b".into(), None));
    assert_eq!(ids("?prefix=b&selector=site=sh").await, (String::new(), None));
    assert_eq!(cluster.get("/v1/nodes").await["nodes"].as_array().unwrap().len(), cluster.len());
}

async fn the_fleet_is_counted(cluster: Cluster) {
    let far = cluster.there().terminal("far", V1, &[("site", "bj")]).await;
    let gone = cluster.here().terminal("gone", Plain, &[]).await;
    gone.terminal.close().await;
    let health = Health { condition: Condition::Degraded, metrics: [("load".to_owned(), 0.5)].into() };
    far.terminal.send(FromTerminal::Health(health)).await.unwrap();
    until("it is counted", async || {
        let fleet = cluster.get("/v1/fleet").await;
        fleet["online"] == 1
            && fleet["offline"] == 1
            && fleet["by_condition"]["degraded"] == 1
            && fleet["by_label"]["site=bj"] == 1
            && fleet["by_node"].as_object().unwrap().values().any(|count| count == 1)
    })
    .await;
    let view = cluster.get("/v1/terminals/far").await;
    assert_eq!((&view["condition"], &view["metrics"]), (&json!("degraded"), &json!({"load": 0.5})));
}

async fn labels_that_operators_put_select_and_stay(cluster: Cluster) {
    let mut far = cluster.there().terminal("far", V1, &[("site", "bj"), ("kind", "kiosk")]).await;
    let (status, view) = cluster.ask("PUT", "/v1/terminals/far/labels", r#"{"site":"sh"}"#).await;
    assert_eq!((status, &view["labels"]), (200, &json!({"site": "sh", "kind": "kiosk"})));
    assert_eq!(cluster.here().command(r#"{"labels":{"site":"sh"}}"#, "1").await.1["targets"], 1);
    let of_nobody = cluster.here().command(r#"{"labels":{"site":"bj"}}"#, "2").await.1;
    assert_eq!(of_nobody["targets"].as_u64().unwrap_or(0), 0);
    assert_eq!(far.payload().await, "1");
    far.terminal.close().await;
    let _far = cluster.here().terminal("far", V1, &[("site", "bj")]).await;
    assert_eq!(cluster.get("/v1/terminals/far").await["labels"], json!({"site": "sh"}));
    assert_eq!(cluster.ask("PUT", "/v1/terminals/far/labels", "{}").await.1["labels"], json!({"site": "bj"}));
    assert_eq!(cluster.ask("PUT", "/v1/terminals/nobody/labels", "{}").await.0, 404);
    assert_eq!(cluster.ask("PUT", "/v1/terminals/far/labels", r#"{"a=b":"c"}"#).await.0, 400);
}

async fn an_operator_ends_a_session_and_forgets_a_terminal(cluster: Cluster) {
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    assert_eq!(cluster.ask("DELETE", "/v1/terminals/far/session", "").await.0, 202);
    let ended = far.next().await;
    assert!(matches!(&ended, Incoming::Offline { end: ConnectionEnd::Closed { code: 1012, .. }, .. }), "{ended:?}");
    assert!(matches!(far.next().await, Incoming::Online { .. }));
    until("it is back", async || cluster.get("/v1/terminals/far").await["status"] == "online").await;
    assert_eq!(cluster.ask("DELETE", "/v1/terminals/far", "").await.0, 200);
    let ended = far.next().await;
    assert!(matches!(&ended, Incoming::Gone(ConnectionEnd::Closed { code: 4503, .. })), "{ended:?}");
    assert_eq!(get(cluster.here().address, "/v1/terminals/far").await.0, 404);
    assert_eq!(cluster.ask("DELETE", "/v1/terminals/far/session", "").await.0, 404);
    assert_eq!(cluster.here().command(r#"{"terminal":"far"}"#, "1").await.0, 404);
}

/// The will of a terminal that left is not published, since its connection was not lost.
async fn a_terminal_that_is_forgotten_while_online_goes_with_one_event(cluster: Cluster) {
    let will = Some(Payload::from_text("will of far"));
    let mut far = cluster.there().terminal_with("far", |config| config.will = will).await;
    cluster.here().was_here("gone", V1).await;
    for id in ["far", "gone"] {
        assert_eq!(cluster.ask("DELETE", &format!("/v1/terminals/{id}"), "").await.0, 200);
    }
    let ended = far.next().await;
    assert!(matches!(&ended, Incoming::Gone(ConnectionEnd::Closed { code: 4503, .. })), "{ended:?}");
    let mut events = String::new();
    until("it is told that the terminal went", async || {
        events = cluster.events().await;
        events.contains(r#""reason":"removed""#)
    })
    .await;
    let offline: Vec<_> = events.lines().filter(|line| line.contains(r#""reason":"#)).collect();
    assert_eq!(offline.len(), 2, "one for each terminal: {offline:?}");
    assert!(offline[0].contains(r#""terminal":"gone""#) && offline[1].contains(r#""terminal":"far""#), "{offline:?}");
    assert!(!events.contains("will of far"), "{events}");
}

async fn a_terminal_that_was_forgotten_is_new_however_often_it_connects(cluster: Cluster) {
    cluster.there().was_here("far", V1).await;
    assert_eq!(cluster.here().command(r#"{"all":true}"#, "1").await.1["targets"], 1);
    assert_eq!(cluster.ask("DELETE", "/v1/terminals/far", "").await.0, 200);
    cluster.there().was_here("far", V1).await;
    assert_eq!(cluster.here().command(r#"{"all":true}"#, "2").await.1["targets"], 1);
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    assert_eq!(far.payload().await, "2");
    assert!(far.is_quiet());
}

async fn a_lost_terminals_will_is_published_once_and_one_that_left_has_none(cluster: Cluster) {
    let will = |id: &str| Some(Payload::from_text(&format!("will of {id}")));
    let lost = cluster.there().terminal_with("lost", |config| config.will = will("lost")).await;
    let left = cluster.there().terminal_with("left", |config| config.will = will("left")).await;
    lost.terminal.kill().await;
    left.terminal.close().await;
    let mut events = String::new();
    until("both are offline", async || {
        events = cluster.events().await;
        events.matches("terminal.offline").count() == 2
    })
    .await;
    assert_eq!((events.matches("will of lost").count(), events.matches("will of left").count()), (1, 0), "{events}");
}

/// A terminal whose connection is open but silent is stale once a pong is overdue, and offline at the second ping
/// without a pong.
async fn one_that_falls_silent_is_stale_then_offline(cluster: Cluster) {
    let _chatty = cluster.here().terminal("chatty", V1, &[]).await;
    let url = format!("ws://{}/ws?terminal_id=silent", cluster.there().address);
    let (mut silent, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    until("it has answered a ping", async || {
        // Reading is what answers.
        let _ = time::timeout(Duration::from_millis(50), silent.next()).await;
        get(cluster.here().address, "/v1/terminals/silent").await.1["rtt_ms"].is_number()
    })
    .await;
    let began = Instant::now();
    for status in ["stale", "offline"] {
        until(status, async || cluster.get("/v1/terminals/silent").await["status"] == status).await;
    }
    // Two pings, and the second that is allowed beside them.
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(cluster.get("/v1/terminals/chatty").await["status"], "online");
    assert!(cluster.events().await.contains(r#""reason":"no_heartbeat""#));
}
