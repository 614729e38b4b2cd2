//! Each command that ends is told to be done, once, with what became of its targets.

use muster_protocol::{Payload, api::Protocol::V1};
use muster_testkit::{http::post, wait::until};
use serde_json::{Value, json};

use crate::cluster::Cluster;

crate::on_both!(
    a_command_is_told_to_be_done_once_when_all_have_confirmed,
    a_command_that_expires_is_told_to_be_done,
    a_command_that_is_cancelled_is_told_to_be_done
);

/// The terminals lie in several partitions.
const ALL: [&str; 6] = ["t0", "t1", "t2", "t3", "t4", "t5"];

async fn send(cluster: &Cluster, target: &Value, fields: &str) -> String {
    let body = format!(r#"{{"target":{target},"name":"show"{fields}}}"#);
    let (status, command) = post(cluster.here().address, "/v1/commands", &body).await;
    assert_eq!(status, 202, "{command}");
    command["id"].as_str().unwrap().to_owned()
}

/// The data of each `command.done` of a command.
fn done(events: &str, id: &str) -> Vec<Value> {
    let data = events.split("event: command.done\ndata: ").skip(1);
    let data = data.map(|rest| serde_json::from_str::<Value>(rest.lines().next().unwrap()).unwrap());
    data.filter(|data| data["command"] == id).collect()
}

/// Waits until a command is told to be done, and returns what was told besides its id.
async fn told(cluster: &Cluster, id: &str) -> Value {
    let mut events = String::new();
    until("the command is done", async || {
        events = cluster.events().await;
        !done(&events, id).is_empty()
    })
    .await;
    let mut all = done(&events, id);
    assert_eq!(all.len(), 1, "{all:?}");
    let mut data = all.remove(0);
    data.as_object_mut().unwrap().remove("command");
    data
}

async fn a_command_is_told_to_be_done_once_when_all_have_confirmed(cluster: Cluster) {
    let mut terminals = Vec::new();
    for id in ALL {
        terminals.push(cluster.there().terminal(id, V1, &[]).await);
    }
    let one = send(&cluster, &json!({ "terminal": "t0" }), "").await;
    let all = send(&cluster, &json!({ "all": true }), "").await;
    let ran = send(&cluster, &json!({ "terminals": ["t1", "t2"] }), r#","confirm":"result""#).await;
    for (at, count) in [(0, 2), (1, 2), (2, 2), (3, 1), (4, 1), (5, 1)] {
        for _ in 0..count {
            let command = terminals[at].command().await;
            if command.id.to_string() == ran {
                let payload = Payload::from_text("ready");
                terminals[at].terminal.result(command.id, at == 1, payload).await.unwrap();
            }
        }
    }
    let of = |counts: Value, targets: u64| json!({ "state": "done", "targets": targets, "counts": counts });
    assert_eq!(told(&cluster, &one).await, of(json!({ "acked": 1 }), 1));
    assert_eq!(told(&cluster, &all).await, of(json!({ "acked": 6 }), 6));
    assert_eq!(told(&cluster, &ran).await, of(json!({ "succeeded": 1, "failed": 1 }), 2));
    // What is reported later changes the state, and the command is not told to be done again.
    let payload = Payload::from_text("late");
    terminals[0].terminal.result(all.parse().unwrap(), true, payload).await.unwrap();
    let path = format!("/v1/commands/{all}");
    until("the late result is counted", async || cluster.get(&path).await["counts"]["succeeded"] == 1).await;
    assert_eq!(told(&cluster, &all).await, of(json!({ "acked": 6 }), 6));
}

async fn a_command_that_expires_is_told_to_be_done(cluster: Cluster) {
    for id in ALL {
        cluster.there().was_here(id, V1).await;
    }
    let soon = r#","expires_in":"1s""#;
    let one = send(&cluster, &json!({ "terminal": "t0" }), soon).await;
    let all = send(&cluster, &json!({ "all": true }), soon).await;
    let of = |targets: u64| json!({ "state": "done", "targets": targets, "counts": { "expired": targets } });
    assert_eq!((told(&cluster, &one).await, told(&cluster, &all).await), (of(1), of(6)));
}

async fn a_command_that_is_cancelled_is_told_to_be_done(cluster: Cluster) {
    for id in ALL {
        cluster.there().was_here(id, V1).await;
    }
    let of = |targets: u64| json!({ "state": "cancelled", "targets": targets, "counts": { "cancelled": targets } });
    for (target, targets) in [(json!({ "terminal": "t0" }), 1), (json!({ "all": true }), 6)] {
        let id = send(&cluster, &target, "").await;
        assert_eq!(cluster.ask("DELETE", &format!("/v1/commands/{id}"), "").await.0, 200);
        assert_eq!(told(&cluster, &id).await, of(targets), "{target}");
    }
}
