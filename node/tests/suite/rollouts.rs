//! A command goes out in waves, each once the wave before has succeeded.

use muster_protocol::{Payload, api::Protocol::V1, token::Scope};
use muster_testkit::{OnlineTerminal, token::key_of, wait::until};
use serde_json::{Value, json};

use crate::{cluster::Cluster, limited::limited};

crate::on_both!(
    waves_go_out_one_after_the_other_and_reach_each_terminal_once,
    a_wave_in_which_too_many_fail_stops_the_rollout_and_the_others_are_never_sent,
    pausing_a_paced_wave_and_resuming_it_loses_and_repeats_nothing,
    stopping_cancels_what_waits,
    a_rollout_that_is_scheduled_waits_and_can_be_held_and_stopped,
    a_request_is_recognized_by_its_key_and_a_bad_one_is_refused | ["--secret", muster_testkit::token::SECRET]
);

/// The terminals lie in several partitions, and hang on the other node.
async fn fleet(cluster: &Cluster, size: usize) -> Vec<OnlineTerminal> {
    let mut terminals = Vec::new();
    for n in 0..size {
        terminals.push(cluster.there().terminal(&format!("t{n}"), V1, &[]).await);
    }
    terminals
}

/// Makes a rollout of the command `update` for all, with these further fields. Returns its path.
async fn roll_out(cluster: &Cluster, command: Value, fields: Value) -> String {
    let mut body = json!({ "target": { "all": true }, "command": { "name": "update" } });
    body["command"].as_object_mut().unwrap().extend(command.as_object().unwrap().clone());
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let (status, made) = cluster.ask("POST", "/v1/rollouts", &body.to_string()).await;
    assert_eq!((status, &made["of"]), (201, &json!(body["waves"].as_array().unwrap().len())), "{made}");
    format!("/v1/rollouts/{}", made["id"].as_str().unwrap())
}

/// Waits until a rollout is in this state.
async fn becomes(cluster: &Cluster, path: &str, state: &str) -> Value {
    let mut shown = Value::Null;
    let what = format!("the rollout is {state}");
    until(&what, async || {
        shown = cluster.get(path).await;
        shown["state"] == state
    })
    .await;
    shown
}

/// How many commands each terminal has got by now.
fn got(terminals: &mut [OnlineTerminal]) -> Vec<usize> {
    let count = |terminal: &mut OnlineTerminal| std::iter::from_fn(|| terminal.told.try_recv().ok()).count();
    terminals.iter_mut().map(count).collect()
}

/// The states of which events tell, in their order.
async fn told(cluster: &Cluster) -> Vec<Value> {
    let events = cluster.events().await;
    let data = events.split("event: rollout.changed\ndata: ").skip(1);
    data.map(|rest| serde_json::from_str::<Value>(rest.lines().next().unwrap()).unwrap()["state"].clone()).collect()
}

async fn waves_go_out_one_after_the_other_and_reach_each_terminal_once(cluster: Cluster) {
    let mut terminals = fleet(&cluster, 6).await;
    let waves = json!([{ "count": 2 }, { "percent": 50 }, { "rest": true }]);
    let path = roll_out(&cluster, json!({ "payload": { "to": "2.1" } }), json!({ "waves": waves })).await;
    let done = becomes(&cluster, &path, "done").await;
    assert_eq!(
        (&done["targets"], &done["unsent"], &done["wave"], &done["reason"]),
        (&json!(6), &json!(0), &json!(3), &Value::Null)
    );
    let counts: Vec<_> = done["waves"].as_array().unwrap().iter().map(|wave| wave["counts"].clone()).collect();
    assert_eq!(counts, [2, 3, 1].map(|acked| json!({ "acked": acked })));
    assert_eq!(got(&mut terminals), [1; 6]);
    let commands = cluster.get("/v1/commands").await;
    assert_eq!(commands["commands"].as_array().unwrap().len(), 3, "each wave is a command");
    assert_eq!(told(&cluster).await.last(), Some(&json!("done")));
    let listed = cluster.get("/v1/rollouts").await;
    assert_eq!((&listed["rollouts"][0]["id"], &listed["next"]), (&done["id"], &Value::Null));
    assert_eq!(listed["rollouts"][0].get("waves"), None, "a list has no waves");
}

async fn a_wave_in_which_too_many_fail_stops_the_rollout_and_the_others_are_never_sent(cluster: Cluster) {
    let mut terminals = fleet(&cluster, 6).await;
    let fields = json!({ "waves": [{ "count": 3 }, { "rest": true }], "stop": { "failed": 0.2 } });
    let path = roll_out(&cluster, json!({ "confirm": "result" }), fields).await;
    until("the canary is sent", async || cluster.get(&path).await["waves"][0]["counts"]["acked"] == 3).await;
    let mut answers = 0;
    for terminal in &mut terminals {
        if let Ok(muster_client::Incoming::Command { command, .. }) = terminal.told.try_recv() {
            terminal.terminal.result(command.id, answers > 1, Payload::from_text("no")).await.unwrap();
            answers += 1;
        }
    }
    assert_eq!(answers, 3);
    let stopped = becomes(&cluster, &path, "stopped").await;
    let reason = stopped["reason"].as_str().unwrap();
    assert!(reason.contains("wave 1") && reason.contains("failed, more than 20 %"), "{reason}");
    assert_eq!((&stopped["unsent"], &stopped["waves"][1]["commands"]), (&json!(3), &json!([])), "{stopped}");
    assert_eq!(got(&mut terminals).iter().sum::<usize>(), 0);
    assert_eq!(cluster.get("/v1/commands").await["commands"].as_array().unwrap().len(), 1);
    let (status, problem) = cluster.ask("POST", &format!("{path}/resume"), "").await;
    assert_eq!(status, 409, "{problem}");
}

async fn pausing_a_paced_wave_and_resuming_it_loses_and_repeats_nothing(cluster: Cluster) {
    let mut terminals = fleet(&cluster, 8).await;
    let path = roll_out(&cluster, json!({}), json!({ "waves": [{ "rest": true, "rate": 2 }] })).await;
    until("some have it", async || cluster.get(&path).await["waves"][0]["counts"]["acked"].as_u64() >= Some(2)).await;
    let (status, paused) = cluster.ask("POST", &format!("{path}/pause"), "").await;
    assert_eq!((status, &paused["state"]), (200, &json!("paused")), "{paused}");
    let held = || async { cluster.get(&path).await["waves"][0].clone() };
    until("the others are held", async || held().await["counts"].get("queued").is_none()).await;
    let command = held().await["commands"][0].as_str().unwrap().to_owned();
    assert_eq!(cluster.get(&format!("/v1/commands/{command}")).await["state"], "cancelled");
    assert_eq!(cluster.ask("POST", &format!("{path}/resume"), "").await.0, 200);
    let done = becomes(&cluster, &path, "done").await;
    assert_eq!((&done["waves"][0]["counts"], &done["unsent"]), (&json!({ "acked": 8 }), &json!(0)), "{done}");
    assert_eq!(done["waves"][0]["commands"].as_array().unwrap().len(), 2, "{done}");
    assert_eq!(got(&mut terminals), [1; 8]);
}

async fn stopping_cancels_what_waits(cluster: Cluster) {
    let _one = fleet(&cluster, 1).await;
    cluster.there().was_here("away", V1).await;
    let path = roll_out(&cluster, json!({}), json!({ "waves": [{ "rest": true }] })).await;
    until("it is sent", async || cluster.get(&path).await["waves"][0]["counts"] == json!({ "acked": 1, "queued": 1 }))
        .await;
    let (status, stopped) = cluster.ask("POST", &format!("{path}/stop"), "").await;
    assert_eq!((status, &stopped["reason"]), (200, &json!("stopped by an operator")), "{stopped}");
    let counts = json!({ "acked": 1, "cancelled": 1 });
    until("what waits is cancelled", async || cluster.get(&path).await["waves"][0]["counts"] == counts).await;
    let mut back = cluster.there().terminal("away", V1, &[]).await;
    assert!(back.is_quiet());
    assert_eq!(cluster.ask("POST", &format!("{path}/stop"), "").await.0, 200, "once more changes nothing");
}

async fn a_rollout_that_is_scheduled_waits_and_can_be_held_and_stopped(cluster: Cluster) {
    let mut terminals = fleet(&cluster, 1).await;
    let later = jiff::Timestamp::now() + std::time::Duration::from_secs(3600);
    let path = roll_out(&cluster, json!({}), json!({ "waves": [{ "rest": true }], "start_at": later })).await;
    for (verb, state) in [("pause", "paused"), ("resume", "scheduled"), ("stop", "stopped")] {
        let (status, shown) = cluster.ask("POST", &format!("{path}/{verb}"), "").await;
        assert_eq!((status, &shown["state"], &shown["targets"]), (200, &json!(state), &Value::Null), "{shown}");
    }
    assert_eq!(got(&mut terminals), [0]);
    assert_eq!(told(&cluster).await, ["scheduled", "paused", "scheduled", "stopped"].map(|state| json!(state)));
}

async fn a_request_is_recognized_by_its_key_and_a_bad_one_is_refused(cluster: Cluster) {
    let _one = fleet(&cluster, 1).await;
    let later = jiff::Timestamp::now() + std::time::Duration::from_secs(3600);
    let body = |name: &str| {
        json!({ "target": { "all": true }, "command": { "name": name }, "waves": [{ "rest": true }], "start_at": later }).to_string()
    };
    let key = "Idempotency-Key: k1\r\n";
    let (status, first) = cluster.ask_with("POST", "/v1/rollouts", key, &body("a")).await;
    let (again, second) = cluster.ask_with("POST", "/v1/rollouts", key, &body("a")).await;
    assert_eq!((status, again, &first["id"]), (201, 201, &second["id"]), "{first} {second}");
    assert_eq!(cluster.ask_with("POST", "/v1/rollouts", key, &body("b")).await.0, 422);
    for (body, status, says) in [
        (r#"{"target":{"all":true},"command":{"name":"x"},"waves":[]}"#, 400, "waves: 1 to 20"),
        (r#"{"target":{"all":true},"command":{"name":""},"waves":[{"rest":true}]}"#, 400, "name must have"),
        (r#"{"target":{"terminal":"nobody"},"command":{"name":"x"},"waves":[{"rest":true}]}"#, 404, "nobody"),
        (r#"{"target":{"labels":{"a":"b"}},"command":{"name":"x"},"waves":[{"rest":true}]}"#, 409, "no terminal"),
    ] {
        let (answered, problem) = cluster.ask("POST", "/v1/rollouts", body).await;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(answered == status && detail.contains(says), "{body}: {problem}");
    }
    assert_eq!(cluster.ask("GET", "/v1/rollouts/x", "").await.0, 400);
    assert_eq!(cluster.ask("GET", "/v1/rollouts/0198c0de-0000-7000-8000-000000000001", "").await.0, 404);
    let reader = format!("Authorization: Bearer {}\r\n", key_of("ann", Scope::Read));
    assert_eq!(cluster.ask_with("POST", "/v1/rollouts", &reader, &body("a")).await.0, 403);
    let of_shop = limited("shop", &[("shop", "7")], &[]);
    assert_eq!(cluster.ask_with("GET", "/v1/rollouts", &of_shop, "").await.0, 403);
    let of_name = limited("name", &[], &["b"]);
    assert_eq!(cluster.ask_with("POST", "/v1/rollouts", &of_name, &body("a")).await.0, 403);
    let pause = format!("/v1/rollouts/{}/pause", first["id"].as_str().unwrap());
    assert_eq!(cluster.ask_with("POST", &pause, &of_name, "").await.0, 403);
    until("the change is recorded", async || {
        let audit = cluster.get("/v1/audit").await;
        audit["records"]
            .as_array()
            .unwrap()
            .iter()
            .any(|record| record["route"] == "/v1/rollouts" && record["subject"] == first["id"])
    })
    .await;
}
