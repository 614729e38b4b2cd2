//! The life of a command, and that the API reports it truthfully.

use jiff::Timestamp;
use muster_protocol::{
    Payload,
    api::Protocol::{Plain, V1},
    frame::{FromTerminal, NotRun, ResultFrame},
};
use muster_testkit::{
    OnlineTerminal,
    http::{get, post},
    wait::until,
};
use serde_json::{Value, json};

use crate::cluster::Cluster;

crate::on_both!(
    each_step_is_told_with_its_time_and_the_reply,
    an_answer_can_wait_for_the_reply,
    what_expired_before_the_terminal_came_back_is_not_run,
    what_was_not_sent_can_be_cancelled,
    a_key_makes_a_request_once,
    an_estimate_accepts_nothing,
    only_those_without_success_are_tried_again,
    targets_page_by_state,
    a_rate_spreads_the_targets,
    what_is_not_confirmed_is_not_claimed,
    of_several_results_the_highest_counts
);

async fn send(cluster: &Cluster, body: &str) -> Value {
    let (status, command) = post(cluster.here().address, "/v1/commands", body).await;
    assert_eq!(status, 202, "{command}");
    command
}

fn path(command: &Value, rest: &str) -> String {
    format!("/v1/commands/{}{rest}", command["id"].as_str().unwrap())
}

/// Waits until a target is in this state, and shows it.
async fn target(cluster: &Cluster, command: &Value, state: &str) -> Value {
    let path = path(command, &format!("/targets?state={state}"));
    let mut found = Value::Null;
    until(state, async || {
        found = cluster.get(&path).await["targets"][0].clone();
        found != Value::Null
    })
    .await;
    found
}

async fn each_step_is_told_with_its_time_and_the_reply(cluster: Cluster) {
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    let command = send(&cluster, r#"{"target":{"terminal":"far"},"name":"update","confirm":"result"}"#).await;
    let id = far.command().await.id;
    far.terminal.progress(id, Payload::from_text("half")).await.unwrap();
    assert_eq!(target(&cluster, &command, "running").await["payload"], "half");
    assert_eq!(cluster.get(&path(&command, "")).await["state"], "open");
    far.terminal.result(id, true, Payload::from_text("done")).await.unwrap();
    let seen = target(&cluster, &command, "succeeded").await;
    assert_eq!(seen["payload"], "done");
    let at = |step| seen["at"][step].as_str().and_then(|at| at.parse::<Timestamp>().ok());
    let steps = ["queued", "sent", "acked", "running", "ended"].map(at);
    assert!(steps.iter().all(Option::is_some) && steps.is_sorted(), "{seen}");
    assert_eq!(cluster.get(&path(&command, "")).await["state"], "done");
}

async fn an_answer_can_wait_for_the_reply(cluster: Cluster) {
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    let body = r#"{"target":{"terminal":"far"},"name":"open","confirm":"result"}"#;
    let asked = async { post(cluster.here().address, "/v1/commands?wait=10s", body).await };
    let replied = async {
        let id = far.command().await.id;
        let reason = Some(NotRun::Rejected);
        let outcome = ResultFrame { id, ok: false, reason, payload: Payload::from_text("no such door") };
        far.terminal.send(FromTerminal::Result(outcome)).await.unwrap();
    };
    let ((status, command), ()) = tokio::join!(asked, replied);
    assert_eq!((status, &command["state"], &command["counts"]["rejected"]), (200, &json!("done"), &json!(1)));
    assert_eq!(command["results"][0]["payload"], "no such door");
    let (status, open) = post(cluster.here().address, "/v1/commands?wait=50ms", body).await;
    assert_eq!((status, &open["state"]), (202, &json!("open")));
}

async fn what_expired_before_the_terminal_came_back_is_not_run(cluster: Cluster) {
    cluster.there().was_here("far", V1).await;
    let mut commands = Vec::new();
    for _ in 0..20 {
        commands.push(send(&cluster, r#"{"target":{"terminal":"far"},"name":"old","expires_in":"300ms"}"#).await);
    }
    for command in &commands {
        target(&cluster, command, "expired").await;
        assert_eq!(cluster.get(&path(command, "")).await["counts"]["expired"], 1);
    }
    let mut far = cluster.here().terminal("far", V1, &[]).await;
    let last = cluster.here().command(r#"{"terminal":"far"}"#, "\"new\"").await;
    assert_eq!((last.0, far.payload().await.as_str()), (202, "\"new\""));
}

async fn what_was_not_sent_can_be_cancelled(cluster: Cluster) {
    let mut near = cluster.here().terminal("near", V1, &[]).await;
    cluster.there().was_here("far", V1).await;
    let command = send(&cluster, r#"{"target":{"all":true},"name":"x","payload":1}"#).await;
    near.payload().await;
    target(&cluster, &command, "acked").await;
    let (status, view) = cluster.ask("DELETE", &path(&command, ""), "").await;
    assert_eq!((status, &view["state"]), (200, &json!("cancelled")));
    assert_eq!((&view["counts"]["cancelled"], &view["counts"]["acked"]), (&json!(1), &json!(1)));
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    cluster.here().command(r#"{"terminal":"far"}"#, "2").await;
    assert_eq!(far.payload().await, "2");
    assert_eq!(cluster.ask("DELETE", "/v1/commands/0190163d-8694-739b-aea5-966c26f8ac00", "").await.0, 404);
}

async fn a_key_makes_a_request_once(cluster: Cluster) {
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    let (body, other) = (r#"{"target":{"all":true},"name":"x"}"#, r#"{"target":{"all":true},"name":"y"}"#);
    let keyed = async |body| cluster.ask_with("POST", "/v1/commands", "Idempotency-Key: k-1\r\n", body).await;
    let (first, again) = (keyed(body).await, keyed(body).await);
    assert_eq!((first.0, again.0, &first.1["id"]), (202, 202, &again.1["id"]));
    assert_eq!(keyed(other).await.0, 422);
    far.payload().await;
    cluster.here().command(r#"{"all":true}"#, "\"next\"").await;
    assert_eq!(far.payload().await, "\"next\"");
}

async fn an_estimate_accepts_nothing(cluster: Cluster) {
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    cluster.there().was_here("gone", V1).await;
    let (status, estimate) =
        post(cluster.here().address, "/v1/commands?dry_run=1", r#"{"target":{"all":true},"name":"x"}"#).await;
    assert_eq!((status, estimate), (200, json!({"targets": 2, "online": 1})));
    let unclear =
        post(cluster.here().address, "/v1/commands?dry_run=yes", r#"{"target":{"all":true},"name":"x"}"#).await;
    assert_eq!(unclear.0, 400);
    assert!(far.is_quiet());
}

async fn only_those_without_success_are_tried_again(cluster: Cluster) {
    let mut good = cluster.here().terminal("good", V1, &[]).await;
    let mut bad = cluster.there().terminal("bad", V1, &[]).await;
    let command = send(&cluster, r#"{"target":{"all":true},"name":"x","payload":7,"confirm":"result"}"#).await;
    let say = async |terminal: &mut OnlineTerminal, ok| {
        let id = terminal.command().await.id;
        terminal.terminal.result(id, ok, Payload::default()).await.unwrap();
    };
    say(&mut good, true).await;
    say(&mut bad, false).await;
    target(&cluster, &command, "succeeded").await;
    target(&cluster, &command, "failed").await;
    let (status, again) = cluster.ask("POST", &path(&command, "/retry"), "").await;
    assert_eq!((status, &again["targets"]), (202, &json!(1)));
    assert_eq!(bad.payload().await, "7");
    assert!(good.is_quiet());
    let id = again["id"].as_str().unwrap().parse().unwrap();
    bad.terminal.result(id, true, Payload::default()).await.unwrap();
    target(&cluster, &again, "succeeded").await;
    assert_eq!(cluster.ask("POST", &path(&again, "/retry"), "").await.0, 409);
}

async fn targets_page_by_state(cluster: Cluster) {
    let mut terminals = Vec::new();
    for number in 0..5 {
        terminals.push(cluster.there().terminal(&format!("t{number}"), Plain, &[]).await);
    }
    cluster.here().was_here("away", V1).await;
    let command = send(&cluster, r#"{"target":{"all":true},"name":"x"}"#).await;
    until("all are sent", async || cluster.get(&path(&command, "")).await["counts"]["sent"] == 5).await;
    let page = async |query: &str| {
        let page = cluster.get(&path(&command, &format!("/targets?{query}"))).await;
        let ids =
            page["targets"].as_array().unwrap().iter().map(|target| target["terminal"].as_str().unwrap().to_owned());
        (ids.collect::<Vec<_>>(), page["next"].clone())
    };
    let (mut sent, next) = page("state=sent&limit=3").await;
    assert_eq!(sent.len(), 3);
    let (rest, end) = page(&format!("state=sent&limit=3&after={}", next.as_str().unwrap())).await;
    sent.extend(rest);
    sent.sort_unstable();
    assert_eq!((sent.join(","), end), ("t0,t1,t2,t3,t4".into(), Value::Null));
    assert_eq!(page("state=queued").await, (vec!["away".into()], Value::Null));
    assert_eq!(cluster.ask("GET", &path(&command, "/targets?state=lost"), "").await.0, 400);
}

async fn a_rate_spreads_the_targets(cluster: Cluster) {
    let mut terminals = Vec::new();
    for number in 0..6 {
        let node = if number % 2 == 0 { cluster.here() } else { cluster.there() };
        terminals.push(node.terminal(&format!("t{number}"), V1, &[]).await);
    }
    let began = std::time::Instant::now();
    send(&cluster, r#"{"target":{"all":true},"name":"x","payload":1,"rate":10}"#).await;
    for terminal in &mut terminals {
        assert_eq!(terminal.payload().await, "1");
    }
    // Six targets at ten a second: each of two nodes sends to three, the last 0.4 s after the first. A node alone
    // takes 0.5 s.
    assert!(began.elapsed().as_millis() >= 350, "{:?}", began.elapsed());
    assert!(terminals.iter_mut().all(OnlineTerminal::is_quiet));
}

async fn what_is_not_confirmed_is_not_claimed(cluster: Cluster) {
    let _mute = cluster.there().terminal_with("mute", |config| config.acknowledge = false).await;
    let mut near = cluster.here().terminal("near", V1, &[]).await;
    let body = r#"{"target":{"all":true},"name":"x","payload":1,"confirm":"result","expires_in":"500ms"}"#;
    let command = send(&cluster, body).await;
    near.payload().await;
    assert_eq!(target(&cluster, &command, "timed_out").await["terminal"], "near");
    assert_eq!(target(&cluster, &command, "sent").await["terminal"], "mute");
    assert_eq!(cluster.get(&path(&command, "")).await["state"], "done");
    // A result that comes late is still recorded.
    near.terminal.result(command["id"].as_str().unwrap().parse().unwrap(), true, Payload::default()).await.unwrap();
    assert_eq!(target(&cluster, &command, "succeeded").await["terminal"], "near");
}

async fn of_several_results_the_highest_counts(cluster: Cluster) {
    let mut far = cluster.there().terminal("far", V1, &[]).await;
    let body = r#"{"target":{"terminal":"far"},"name":"x","confirm":"result"}"#;
    let command = send(&cluster, body).await;
    let id = far.command().await.id;
    let result = |ok, reason| FromTerminal::Result(ResultFrame { id, ok, reason, payload: Payload::default() });
    let steps = [
        (result(false, Some(NotRun::Expired)), "expired"),
        (result(true, None), "succeeded"),
        (result(false, None), "failed"),
        (result(false, Some(NotRun::Rejected)), "rejected"),
    ];
    for (frame, state) in steps {
        far.terminal.send(frame).await.unwrap();
        assert_eq!(target(&cluster, &command, state).await["terminal"], "far");
    }
    // A lower one changes nothing: the progress after it shows that it was read.
    far.terminal.send(result(true, None)).await.unwrap();
    far.terminal.progress(id, Payload::from_text("late")).await.unwrap();
    until("the progress is stored", async || target(&cluster, &command, "rejected").await["payload"] == "late").await;
    let counts = cluster.get(&path(&command, "")).await["counts"].clone();
    assert_eq!(counts, json!({"queued": 0, "sent": 0, "acked": 0, "rejected": 1}));
}

/// A call that was sent to Redis and not answered may still be carried out, so nobody is told that nothing was
/// changed.
#[tokio::test]
async fn a_change_that_was_not_answered_is_not_told_to_be_refused() {
    let cluster = Cluster::redis(&[]).await;
    cluster.there().was_here("far", V1).await;
    let _near = cluster.here().terminal("near", V1, &[]).await;
    let node = cluster.get("/v1/terminals/near").await["node"].as_str().unwrap().to_owned();
    let command = send(&cluster, r#"{"target":{"terminal":"far"},"name":"update"}"#).await;
    // Redis knows the script after this, so the whole call is sent at once. The home of this id is partition 0.
    assert_eq!(cluster.ask("DELETE", "/v1/commands/0190163d-8694-739b-aea5-966c26f8ac00", "").await.0, 404);
    cluster.redis.as_ref().unwrap().hang();
    let (cancel, drain) = (path(&command, ""), format!("/v1/nodes/{node}/drain"));
    let ask = async |method, path: &str, body| (path.to_owned(), cluster.ask(method, path, body).await);
    let answers: [(String, (u16, Value)); 4] = tokio::join!(
        ask("DELETE", &cancel, ""),
        ask("PUT", "/v1/terminals/near/labels", r#"{"site":"bj"}"#),
        ask("DELETE", "/v1/terminals/near", ""),
        ask("POST", &drain, ""),
    )
    .into();
    for (path, (status, problem)) in answers {
        assert_eq!(status, 504, "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("not known"), "{path}: {problem}");
    }
    cluster.redis.as_ref().unwrap().go_on();
    // The other node is on its way to drain.
    let there = cluster.there().address;
    until("it is cancelled", async || get(there, &cancel).await.1["state"] == "cancelled").await;
}
