//! What was: the fleet minute by minute, and the last changes of a terminal.

use muster_protocol::{
    api::Protocol::V1,
    frame::{Condition, FromTerminal, Health},
};
use muster_testkit::{http::get, wait::until};
use serde_json::Value;

use crate::cluster::Cluster;

crate::on_both!(the_fleet_is_counted_each_minute, the_last_changes_of_a_terminal_are_shown);

mod switched_off {
    use super::no_change_is_recorded;
    crate::on_both!(no_change_is_recorded | ["--no-terminal-history"]);
}

async fn the_fleet_is_counted_each_minute(cluster: Cluster) {
    let mut minutes = Vec::new();
    // All partitions have written the minute in which the node started, or one that began since.
    until("a minute is written", async || {
        let history = cluster.get("/v1/fleet/history?minutes=1440").await;
        minutes = history["minutes"].as_array().unwrap().clone();
        minutes.last().is_some_and(|minute| minute.get("missing").is_none())
    })
    .await;
    let minute = minutes.last().unwrap();
    assert!(minute["at"].as_str().unwrap().ends_with(":00Z"), "{minute}");
    for (name, field) in [("by_condition", "failing"), ("commands", "accepted"), ("targets", "sent")] {
        assert!(minute[name][field].is_u64() && minute["online"].is_u64(), "{minute}");
    }
    for (query, named) in
        [("minutes=0", "minutes:"), ("minutes=1441", "minutes:"), ("minutes=x", "minutes:"), ("hours=1", "\"hours\"")]
    {
        let (status, refused) = get(cluster.here().address, &format!("/v1/fleet/history?{query}")).await;
        assert!(status == 400 && refused["detail"].as_str().unwrap().contains(named), "{query}: {refused}");
    }
}

/// The changes of a terminal without their times, the newest first.
async fn changes(cluster: &Cluster, terminal: &str) -> Vec<String> {
    let history = cluster.get(&format!("/v1/terminals/{terminal}/history")).await;
    let one = |change: &Value| {
        let mut change = change.as_object().unwrap().clone();
        assert!(change.remove("at").unwrap().as_str().unwrap().ends_with('Z'));
        change.remove("node");
        change.values().map(|value| value.as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    history["changes"].as_array().unwrap().iter().map(one).collect()
}

async fn the_last_changes_of_a_terminal_are_shown(cluster: Cluster) {
    let far = cluster.there().terminal("far", V1, &[("site", "bj")]).await;
    let health = Health { condition: Condition::Degraded, metrics: [("load".to_owned(), 0.5)].into() };
    far.terminal.send(FromTerminal::Health(health)).await.unwrap();
    until("its health is recorded", async || changes(&cluster, "far").await.len() == 2).await;
    assert_eq!(cluster.ask("PUT", "/v1/terminals/far/labels", r#"{"kind":"kiosk"}"#).await.0, 200);
    far.terminal.close().await;
    until("its end is recorded", async || changes(&cluster, "far").await.len() == 4).await;
    let _far = cluster.here().terminal("far", V1, &[("site", "sh")]).await;
    let expected = ["online", "terminal labels", "offline left", "operator labels", "degraded condition", "online"];
    assert_eq!(changes(&cluster, "far").await, expected);
    let history = cluster.get("/v1/terminals/far/history").await;
    assert!(history["changes"][0]["node"].is_string() && history.get("off").is_none(), "{history}");
    assert_eq!(cluster.ask("DELETE", "/v1/terminals/far", "").await.0, 200);
    for id in ["far", "nobody"] {
        assert_eq!(get(cluster.here().address, &format!("/v1/terminals/{id}/history")).await.0, 404);
    }
}

async fn no_change_is_recorded(cluster: Cluster) {
    let _far = cluster.there().terminal("far", V1, &[]).await;
    assert_eq!(cluster.ask("PUT", "/v1/terminals/far/labels", r#"{"kind":"kiosk"}"#).await.0, 200);
    let history = cluster.get("/v1/terminals/far/history").await;
    assert_eq!((&history["changes"], &history["off"]), (&serde_json::json!([]), &Value::Bool(true)), "{history}");
}
