//! A broadcast to all registered terminals, of which some are online, and meanwhile commands to single terminals at another node.

use std::{fs, time::Duration};

use muster_testkit::http;
use tokio::time::{Instant, interval, sleep};

use crate::{
    fleet::{BenchFleet, terminal},
    nodes::{Agents, StoreNode},
    step::{Recorder, median},
};

/// The online terminals.
const ONLINE: usize = 15_000;
/// Broadcasts.
const ROUNDS: usize = 7;
/// The time between two commands at the other node.
const PACE: Duration = Duration::from_millis(10);
/// The longest that the acceptance of a broadcast, and the 99th percentile of the commands, may take, in milliseconds.
const ACCEPTED_MAX: f64 = 50.0;
const COMMANDS_MAX: f64 = 20.0;

/// Measures with two nodes on the store of the fleet, whose nodes are gone.
pub async fn measure(recorder: &mut Recorder<'_>, fleet: &BenchFleet) {
    let (first, second) =
        (StoreNode::start(recorder.servers, fleet.count).await, StoreNode::start(recorder.servers, fleet.count).await);
    let _agents = Agents::start(&first, ONLINE).await;
    sleep(Duration::from_secs(5)).await;
    let (mut accepted, mut p99s, mut idle) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // The other node's commands without a broadcast, for comparison.
        idle.push(p99(commands(&second, fleet, round, async || sleep(Duration::from_secs(2)).await).await));
        let mut took = 0.0;
        let times = commands(&second, fleet, round, async || {
            let begun = Instant::now();
            let body = r#"{"target":{"all":true},"name":"show","payload":{"text":"The next train leaves at 10:42"}}"#;
            let id = first.command("", body, 202).await;
            took = begun.elapsed().as_secs_f64() * 1e3;
            first.reaches(&id, "acked", ONLINE).await;
        })
        .await;
        let p99 = p99(times);
        println!("  broadcast {round}: accepted in {took:.1} ms, commands p99 {p99:.1} ms, load {}", load());
        accepted.push(took);
        p99s.push(p99);
    }
    let of = format!("{} registered, {ONLINE} online", fleet.terminals);
    recorder.figure(format!("{of}: a broadcast is accepted"), median(accepted.into_iter()), ACCEPTED_MAX, "ms");
    recorder.figure("meanwhile commands at another node, p99", median(p99s.into_iter()), COMMANDS_MAX, "ms");
    recorder.figure("the same without a broadcast", median(idle.into_iter()), None, "ms");
}

/// Posts commands to single terminals at this pace, whether or not they are answered, until the work is done. Returns how long each
/// took from the moment at which it was due, in milliseconds.
async fn commands(node: &StoreNode, fleet: &BenchFleet, round: usize, work: impl AsyncFnOnce()) -> Vec<f64> {
    let address = node.address;
    let mut posts = tokio::task::JoinSet::new();
    let mut pace = interval(PACE);
    let post = async {
        for n in 0u32.. {
            let due = pace.tick().await;
            let n = (n * 97 + round as u32 * 13) % fleet.terminals;
            let body = format!(r#"{{"target":{{"terminal":"{}"}},"name":"show","expires_in":"10s"}}"#, terminal(n));
            posts.spawn(async move {
                let (status, answer) = http::post(address, "/v1/commands", &body).await;
                assert_eq!(status, 202, "{answer}");
                due.elapsed().as_secs_f64() * 1e3
            });
        }
    };
    tokio::select! {
        () = post => {}
        () = work() => {}
    }
    posts.join_all().await
}

/// The 99th percentile.
fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() * 99 / 100).copied().unwrap_or_default()
}

fn load() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next().unwrap_or_default().to_owned()
}
