//! The counts of commands in streams of events.

use std::time::Instant;

use muster_protocol::{CommandId, Payload, api::Protocol::V1};
use muster_testkit::{OnlineTerminal, follower::EventFollower};
use serde_json::{Value, json};

use crate::cluster::Cluster;

crate::on_both!(
    the_counts_of_a_command_are_told_as_they_stand_and_as_it_ends,
    counts_are_told_twice_a_second_at_most,
    counts_are_told_to_who_asks_for_them,
    a_late_result_is_counted
);

/// Sends a command to these terminals. Returns its id.
async fn send(cluster: &Cluster, terminals: &[&str], confirm: &str) -> String {
    let body = json!({ "target": { "terminals": terminals }, "name": "show", "confirm": confirm }).to_string();
    let (status, command) = cluster.ask("POST", "/v1/commands", &body).await;
    assert_eq!(status, 202, "{command}");
    command["id"].as_str().unwrap().to_owned()
}

async fn follow(cluster: &Cluster, query: &str, last: Option<&str>) -> EventFollower {
    EventFollower::open(cluster.there().address, &format!("/v1/events?{query}"), last).await
}

/// The data of each event of this kind in the text of a stream.
fn told(text: &str, kind: &str) -> Vec<Value> {
    let begin = format!("event: {kind}\ndata: ");
    // The last line may not be whole yet.
    text.split(&begin).skip(1).filter_map(|rest| serde_json::from_str(rest.lines().next()?).ok()).collect()
}

/// Reads until a stream tells these counts, and returns the data that has them.
async fn until_told(stream: &mut EventFollower, counts: Value) -> Value {
    let find = |text: &str| told(text, "command.counts").into_iter().find(|data| data["counts"] == counts);
    stream.read_until_it(&counts.to_string(), |text| find(text).is_some()).await;
    find(&stream.text).unwrap()
}

async fn report(terminal: &OnlineTerminal, id: CommandId, ok: bool) {
    terminal.terminal.result(id, ok, Payload::from_text("ready")).await.unwrap();
}

async fn the_counts_of_a_command_are_told_as_they_stand_and_as_it_ends(cluster: Cluster) {
    let mut terminals = Vec::new();
    for id in ["t0", "t1", "t2"] {
        terminals.push(cluster.here().terminal(id, V1, &[]).await);
    }
    cluster.here().was_here("off", V1).await;
    let sent = send(&cluster, &["t0", "t1", "t2", "off"], "result").await;
    let mut ids = Vec::new();
    for terminal in &mut terminals {
        ids.push(terminal.command().await.id);
    }
    let mut stream = follow(&cluster, &format!("command={sent}&kind=command.counts"), None).await;
    let first = until_told(&mut stream, json!({ "acked": 3, "queued": 1 })).await;
    assert_eq!(first, json!({ "command": sent, "state": "open", "targets": 4, "counts": { "acked": 3, "queued": 1 } }));
    report(&terminals[0], ids[0], true).await;
    report(&terminals[1], ids[1], false).await;
    until_told(&mut stream, json!({ "acked": 1, "failed": 1, "queued": 1, "succeeded": 1 })).await;
    assert_eq!(cluster.ask("DELETE", &format!("/v1/commands/{sent}"), "").await.0, 200);
    until_told(&mut stream, json!({ "acked": 1, "cancelled": 1, "failed": 1, "succeeded": 1 })).await;
    report(&terminals[2], ids[2], true).await;
    let last = until_told(&mut stream, json!({ "cancelled": 1, "failed": 1, "succeeded": 2 })).await;
    assert_eq!((&last["state"], &last["targets"]), (&json!("cancelled"), &json!(4)));
    assert!(!stream.text.contains("command.state") && !stream.text.contains("command.done"), "{}", stream.text);
    // Who comes back later has the counts with which the command ended.
    let mut again = follow(&cluster, &format!("kind=command.counts&command={sent}"), Some("0-0")).await;
    until_told(&mut again, json!({ "cancelled": 1, "failed": 1, "succeeded": 2 })).await;
}

/// How many targets of a command have succeeded, by what its events tell.
fn succeeded(text: &str, command: &str) -> u64 {
    let states = told(text, "command.state").into_iter();
    let reached = states.filter(|data| data["command"] == command && data["state"] == "succeeded");
    reached.filter_map(|data| data["terminals"].as_u64()).sum()
}

async fn counts_are_told_twice_a_second_at_most(cluster: Cluster) {
    let names: Vec<_> = (0..12).map(|number| format!("t{number}")).collect();
    let mut terminals = Vec::new();
    for id in &names {
        terminals.push(cluster.here().terminal(id, V1, &[]).await);
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut stream = follow(&cluster, "kind=command.state,command.counts,command.done", None).await;
    let began = Instant::now();
    let sent = send(&cluster, &names, "result").await;
    for (at, terminal) in terminals.iter_mut().enumerate() {
        let id = terminal.command().await.id;
        report(terminal, id, true).await;
        // One after the other, so that each is an event of its own.
        stream.read_until_it("a result", |text| succeeded(text, &sent) > at as u64).await;
    }
    let last = until_told(&mut stream, json!({ "succeeded": 12 })).await;
    assert_eq!((&last["state"], &last["targets"]), (&json!("done"), &json!(12)));
    let (states, counts) = (told(&stream.text, "command.state").len(), told(&stream.text, "command.counts").len());
    // At once, twice a second, and as it ends.
    let most = 2 + began.elapsed().as_millis() as usize / 500;
    assert!(states >= 12 && counts <= most, "{counts} of {most}: {}", stream.text);
}

async fn counts_are_told_to_who_asks_for_them(cluster: Cluster) {
    let mut near = cluster.here().terminal("near", V1, &[]).await;
    let mut all = follow(&cluster, "kind=command.counts", None).await;
    let mut none = follow(&cluster, "", None).await;
    let sent = send(&cluster, &["near"], "ack").await;
    near.command().await;
    let data = until_told(&mut all, json!({ "acked": 1 })).await;
    assert_eq!((&data["command"], &data["state"]), (&json!(sent), &json!("done")));
    none.read_until("event: command.done").await;
    let mut own = follow(&cluster, &format!("command={sent}"), Some("0-0")).await;
    until_told(&mut own, json!({ "acked": 1 })).await;
    assert!(own.text.contains("event: command.done"), "{}", own.text);
    // A later event, so that what came before it has been passed over.
    let _far = cluster.there().terminal("far", V1, &[]).await;
    none.read_until(r#""terminal":"far""#).await;
    assert!(!none.text.contains("command.counts"), "{}", none.text);
}

async fn a_late_result_is_counted(cluster: Cluster) {
    let mut near = cluster.here().terminal("near", V1, &[]).await;
    let sent = send(&cluster, &["near"], "ack").await;
    let id = near.command().await.id;
    let mut stream = follow(&cluster, &format!("command={sent}&kind=command.counts"), None).await;
    until_told(&mut stream, json!({ "acked": 1 })).await;
    report(&near, id, true).await;
    let late = until_told(&mut stream, json!({ "succeeded": 1 })).await;
    assert_eq!(late["state"], "done");
}
