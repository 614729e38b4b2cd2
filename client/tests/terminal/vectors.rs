//! The files `protocol/vectors/policy.json` and `session.json` say what this client does. Authors of other clients test theirs with the same
//! files.

use std::time::Duration;

use futures_util::SinkExt;
use muster_client::{Backoff, ConnectionEnd, Incoming, Policy, Terminal};
use muster_protocol::close::RetryHint;
use muster_testkit::wait::soon;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use crate::fake_node::{FakeNode, FakeSession, config, start};

/// How many delays are drawn for each vector.
const DRAWS: u64 = 200;

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap()
}

fn milliseconds(value: &Value) -> Duration {
    Duration::from_millis(value.as_u64().unwrap())
}

#[test]
fn delays_are_drawn_as_the_policy_says() {
    let vectors: Value = serde_json::from_str(include_str!("../../../protocol/vectors/policy.json")).unwrap();
    let policy = policy(&vectors["policy"]);
    assert_eq!(policy, Policy::default());
    for vector in list(&vectors, "delays") {
        let drawn: Vec<_> = (0..DRAWS).map(|seed| delay(vector, policy, seed)).collect();
        let Some(range) = vector["delay_ms"].as_array() else {
            assert!(drawn.iter().all(Option::is_none), "{vector}");
            continue;
        };
        let (least, most) = (milliseconds(&range[0]), milliseconds(&range[1]));
        assert!(drawn.iter().all(|delay| delay.is_some_and(|it| (least..=most).contains(&it))), "{vector}: {drawn:?}");
        // All of the range is used.
        let middle = least + (most - least) / 2;
        assert!(least == most || drawn.iter().flatten().any(|delay| *delay < middle), "{vector}");
        assert!(least == most || drawn.iter().flatten().any(|delay| *delay > middle), "{vector}");
    }
}

fn policy(times: &Value) -> Policy {
    Policy {
        first: milliseconds(&times["first_ms"]),
        cap: milliseconds(&times["cap_ms"]),
        stable: milliseconds(&times["stable_ms"]),
        slow: milliseconds(&times["slow_ms"]),
        hint_cap: milliseconds(&times["hint_cap_ms"]),
    }
}

/// The delay of a vector with this seed.
fn delay(vector: &Value, policy: Policy, seed: u64) -> Option<Duration> {
    let mut backoff = Backoff::new(policy, seed);
    for _ in 0..vector["failures"].as_u64().unwrap() {
        backoff.after(&ConnectionEnd::Lost("reset".into()), Duration::ZERO);
    }
    let end = end(&vector["end"]);
    let delay = backoff.after(&end, milliseconds(&vector["lasted_ms"]));
    if end.needs_token() && vector["other_token"] == false { Some(backoff.slowly()) } else { delay }
}

fn end(end: &Value) -> ConnectionEnd {
    if let Some(code) = end["close"].as_u64() {
        let reason = end["reason"].as_str().unwrap();
        return ConnectionEnd::Closed { code: code as u16, reason: reason.into(), hint: RetryHint::in_reason(reason) };
    }
    match end["status"].as_u64() {
        Some(status) => {
            let hint = end["retry_after_s"].as_u64().map(Duration::from_secs);
            ConnectionEnd::Refused { status: status as u16, hint }
        }
        None => ConnectionEnd::Lost("reset".into()),
    }
}

#[tokio::test]
async fn a_session_goes_as_the_vectors_say() {
    let vectors: Value = serde_json::from_str(include_str!("../../../protocol/vectors/session.json")).unwrap();
    for case in list(&vectors, "cases") {
        let node = FakeNode::bind().await;
        let (terminal, mut reports) = start(config([node.url()]));
        let mut peer = None;
        for step in list(case, "steps") {
            take(step, &node, &mut peer, &terminal, &mut reports).await;
        }
    }
}

/// Takes one step of a case.
async fn take(
    step: &Value,
    node: &FakeNode,
    peer: &mut Option<FakeSession>,
    terminal: &Terminal,
    reports: &mut mpsc::Receiver<Incoming>,
) {
    if let Some(code) = step["close"].as_u64() {
        peer.take().unwrap().close(code as u16, "").await;
        return;
    }
    if peer.is_none() {
        *peer = Some(node.upgrade().await.0);
    }
    let session = peer.as_mut().unwrap();
    if step["node"].is_object() {
        session.socket.send(Message::text(step["node"].to_string())).await.unwrap();
    } else if step["client"].is_object() {
        let message = session.receive_message().await;
        assert_fields(&serde_json::from_str(message.to_text().unwrap()).unwrap(), &step["client"]);
    } else {
        assert_fields(&told(terminal, reports).await, &step["program"]);
    }
}

fn assert_fields(found: &Value, wanted: &Value) {
    for (name, value) in wanted.as_object().unwrap() {
        assert_eq!(&found[name], value, "{name} of {found}");
    }
}

/// The next thing that the program is told, and answers.
async fn told(terminal: &Terminal, reports: &mut mpsc::Receiver<Incoming>) -> Value {
    loop {
        match soon(reports.recv()).await.unwrap() {
            Incoming::Command { command, .. } => {
                let payload: Value = serde_json::from_str(command.payload.as_json()).unwrap();
                let mut line = json!({ "saw": "command", "id": command.id, "name": command.name });
                line[command.payload.field()] = payload;
                terminal.result(command.id, true, command.payload).await.unwrap();
                return line;
            }
            Incoming::Gap(gap) => return json!({ "saw": "gap", "from": gap.from, "to": gap.to }),
            _ => {}
        }
    }
}
