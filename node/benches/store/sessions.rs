//! What sessions cost that leave, come back and are heard of.

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use muster_node::reports::HealthReport;

use crate::{
    commands::{ALL, accept, confirm_by_hand},
    fleet::{AT_ONCE, BenchFleet, BenchPartition, terminal},
    spread::JOIN,
    step::{MeasuredStep, Recorder},
};

/// Rounds of each measurement, and the sessions of a round at most.
const ROUNDS: u32 = 3;
const SESSIONS: u32 = 10_000;
/// The most U of a session that joins again.
const JOIN_MAX: f64 = 20.0;

/// Sessions that leave and join again, with nothing, 20 and 520 commands open of which they missed none; and heartbeats.
pub async fn measure(recorder: &mut Recorder<'_>, fleet: &BenchFleet) {
    let count = SESSIONS.min(fleet.terminals / ROUNDS);
    let mut next = 0;
    come_back(recorder, fleet, count, &mut next, JOIN, Some("a session leaves")).await;
    let mut open = 0;
    for more in [20, 500] {
        for _ in 0..more {
            let id = accept(fleet, ALL).await;
            confirm_by_hand(fleet, id).await;
        }
        open += more;
        let name = format!("a session joins again, {open} open, before upkeep has looked at them");
        come_back(recorder, fleet, count, &mut next, &name, None).await;
        look(recorder, fleet, open).await;
        come_back(recorder, fleet, count, &mut next, &format!("a session joins again, {open} open"), None).await;
    }
    heartbeats(recorder, fleet).await;
}

async fn come_back(
    recorder: &mut Recorder<'_>,
    fleet: &BenchFleet,
    count: u32,
    next: &mut u32,
    name: &str,
    leave: Option<&str>,
) {
    let (mut left, mut joined) =
        (MeasuredStep::new(leave.unwrap_or_default(), None), MeasuredStep::new(name, JOIN_MAX));
    for _ in 0..ROUNDS {
        // Others each time.
        let first = *next * count % (fleet.terminals - count + 1);
        let range = first..first + count;
        left.round(recorder.servers, count, async || fleet.leave(range.clone()).await).await;
        joined.round(recorder.servers, count, async || fleet.join(range.clone()).await).await;
        *next += 1;
    }
    if leave.is_some() {
        recorder.add(left);
    }
    recorder.add(joined);
}

/// Has every partition look at all open commands.
async fn look(recorder: &mut Recorder<'_>, fleet: &BenchFleet, open: u32) {
    let looks = open.div_ceil(64) + 1;
    let count = looks * fleet.partitions.len() as u32;
    let name = format!("a look for what is unconfirmed among {} open", open.min(64));
    let look = async || {
        for _ in 0..looks {
            let one = async |partition: &BenchPartition| {
                let _: u32 = partition.ask("DEL", "confirm_rest", &[]).await;
                partition.store.confirm().await.expect("Redis answers");
            };
            stream::iter(&fleet.partitions).for_each_concurrent(AT_ONCE, one).await;
        }
    };
    recorder.step(name, None, count, look).await;
}

/// As many reports a call as a node with 50,000 sessions has in 50 ms, at a ping every 25 s.
async fn heartbeats(recorder: &mut Recorder<'_>, fleet: &BenchFleet) {
    let batch = (100 / fleet.partitions.len()).max(1);
    let mut portions = vec![Vec::new(); fleet.partitions.len()];
    let count = (2 * SESSIONS).min(fleet.terminals);
    for n in 0..count {
        let report = HealthReport { seen: Some((Timestamp::now(), 12)), health: None };
        portions[usize::from(fleet.count.of(&terminal(n)).0)].push((terminal(n), report));
    }
    let write = async || {
        let one = async |(at, reports): (usize, &Vec<_>)| {
            for reports in reports.chunks(batch) {
                fleet.partitions[at].store.vitals(reports).await.expect("Redis answers");
            }
        };
        stream::iter(portions.iter().enumerate()).for_each_concurrent(AT_ONCE, one).await;
    };
    recorder.step(format!("heartbeat of one session, {batch} a call"), None, count, write).await;
}
