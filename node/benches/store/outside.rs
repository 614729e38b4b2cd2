//! A node with 10,000 terminals that acknowledge: what Redis pays for a join, a broadcast and a command, with all that the node does
//! beside.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use muster_protocol::partition::Partitions;
use muster_testkit::http;
use tokio::time::sleep;

use crate::{
    nodes::{Agents, StoreNode, until},
    spread::{OUTSIDE_COMMAND, OUTSIDE_JOIN},
    step::{MeasuredStep, Recorder},
};

/// The terminals.
const TERMINALS: usize = 10_000;
/// The most U of a terminal that joins.
const JOIN_MAX: f64 = 18.0;
/// Rounds of each measurement.
const ROUNDS: u32 = 5;
/// Commands to single terminals in a round, and how many are under way at once.
const SINGLES: u32 = 1_000;
const AT_ONCE: usize = 16;
/// Longer than the interval at which a node writes reports.
const WRITTEN: Duration = Duration::from_millis(300);

/// Measures with a node of its own on an empty store.
pub async fn measure(recorder: &mut Recorder<'_>, partitions: Partitions) {
    let node = StoreNode::start(recorder.servers, partitions).await;
    recorder.step("outside: a node at rest without sessions, per second", None, 3, rest).await;
    let refused = async || {
        for _ in 0..500 {
            let (status, ..) = http::request(node.address, &http::handshake("?terminal=%00", "")).await;
            assert!((400..500).contains(&status), "{status}");
        }
    };
    recorder.step("outside: a handshake is refused, with the node's rest", None, 500, refused).await;
    let mut agents = None;
    for (name, goal) in [("outside: a terminal joins for the first time", None), (OUTSIDE_JOIN, Some(JOIN_MAX))] {
        drop(agents.take());
        // The node tells the store of sessions that have ended.
        until("all have left", async || http::get(node.address, "/v1/fleet").await.1["online"] == 0).await;
        let join = async || {
            agents = Some(Agents::start(&node, TERMINALS).await);
            sleep(WRITTEN).await;
        };
        recorder.step(name, goal, TERMINALS as u32, join).await;
    }
    recorder.step("outside: a node at rest with 10,000 sessions, per second", None, 3, rest).await;
    broadcasts(recorder, &node).await;
    singles(recorder, &node).await;
}

async fn rest() {
    sleep(Duration::from_secs(3)).await;
}

async fn broadcasts(recorder: &mut Recorder<'_>, node: &StoreNode) {
    let mut step = MeasuredStep::new("outside: a tracked broadcast, per target, to the last ack", 1.0);
    let mut id = String::new();
    for _ in 0..ROUNDS {
        let body = r#"{"target":{"all":true},"name":"show","payload":{"text":"The next train leaves at 10:42"}}"#;
        let broadcast = async || {
            id = node.command("?wait=60s", body, 200).await;
            sleep(WRITTEN).await;
        };
        step.round(recorder.servers, TERMINALS as u32, broadcast).await;
    }
    recorder.add(step);
    let bytes = recorder.servers.memory_of(&format!("*:command:{id}*")).await / TERMINALS as f64;
    recorder.figure("outside: memory of a target of it with its times", bytes, 16.0, "bytes");
}

async fn singles(recorder: &mut Recorder<'_>, node: &StoreNode) {
    let mut step = MeasuredStep::new(OUTSIDE_COMMAND, None);
    for round in 0..ROUNDS {
        let post = async |n: u32| {
            let id = Agents::id((round * SINGLES + n) as usize * 2);
            let body = format!(r#"{{"target":{{"terminal":"{id}"}},"name":"show","payload":{{"text":"Platform 4"}}}}"#);
            node.command("", &body, 202).await;
        };
        let posts = async || {
            stream::iter(0..SINGLES).for_each_concurrent(AT_ONCE, post).await;
            sleep(WRITTEN).await;
        };
        step.round(recorder.servers, SINGLES, posts).await;
    }
    recorder.add(step);
}
