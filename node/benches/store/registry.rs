//! What the registry costs: labels, pages, counts, events, and the beats of nodes.

use std::time::Duration;

use futures_util::{StreamExt, future::join_all, stream};
use jiff::Timestamp;
use muster_node::{
    backplane::redis::partition::{
        lease::LeaseRenewal, registry::PartitionQuery, selection::SetExpression, sessions::HolderNode,
    },
    reports::ReportedEvent,
};
use muster_protocol::{Payload, api::Status};

use crate::{
    fleet::{AT_ONCE, BenchFleet, BenchPartition, terminal},
    step::{MeasuredStep, Recorder},
};

/// Lists and counts of one measurement.
const LISTS: u32 = 5;
/// Changes of one measurement at most.
const CHANGES: u32 = 3_000;

/// Each of them.
pub async fn measure(recorder: &mut Recorder<'_>, fleet: &BenchFleet) {
    changes(recorder, fleet).await;
    lists(recorder, fleet).await;
    beats(recorder, fleet).await;
}

async fn changes(recorder: &mut Recorder<'_>, fleet: &BenchFleet) {
    let count = CHANGES.min(fleet.terminals);
    let labels = [("group".to_owned(), "x".to_owned())].into_iter().collect();
    let label = async |n: u32| {
        assert!(fleet.partition(n).store.label(&terminal(n), &labels).await.expect("Redis answers"));
    };
    let all = async || stream::iter(0..count).for_each_concurrent(AT_ONCE, label).await;
    recorder.step("a terminal's labels are changed", None, count, all).await;
    let happened = async |n: u32| {
        let fields = vec![("level", Payload::from_text("warn")), ("message", Payload::from_text("the door is open"))];
        let event = ReportedEvent {
            kind: "terminal.event",
            terminal: terminal(n),
            fields,
            at: Timestamp::now(),
            receipt: None,
        };
        fleet.partition(n).store.write_events(&[event]).await.expect("Redis answers");
    };
    let all = async || stream::iter(0..count).for_each_concurrent(AT_ONCE, happened).await;
    recorder.step("an event is written, 1 a call", None, count, all).await;
    let followed = Timestamp::now().as_millisecond() as u64;
    let read = async || {
        for _ in 0..LISTS {
            each(fleet, async |partition| {
                _ = partition.store.events_from(followed, 1000).await.expect("Redis answers")
            })
            .await;
        }
    };
    recorder
        .step("a follower looks for events in a partition", None, LISTS * fleet.partitions.len() as u32, read)
        .await;
}

async fn lists(recorder: &mut Recorder<'_>, fleet: &BenchFleet) {
    let label = |key: &str, value: &str| SetExpression::Label(key.into(), value.into());
    for (name, set) in [
        ("a page of 100 terminals", None),
        ("the same of a label of each 200th", Some(label("site", "s007"))),
        ("the same of half of all, online", Some(label("kind", "a").and(SetExpression::Status(Status::Online)))),
    ] {
        let mut step = MeasuredStep::new(name, None);
        let query = PartitionQuery { set, limit: 100, ..PartitionQuery::default() };
        for _ in 0..LISTS {
            let page = async || each(fleet, async |one| _ = one.store.page(&query).await.expect("Redis answers")).await;
            step.round(recorder.servers, 1, page).await;
        }
        recorder.add(step);
    }
    let mut step = MeasuredStep::new("counts of the fleet", None);
    for _ in 0..LISTS {
        let counts = async || each(fleet, async |one| _ = one.store.fleet().await.expect("Redis answers")).await;
        step.round(recorder.servers, 1, counts).await;
    }
    recorder.add(step);
    let mut step = MeasuredStep::new("a look for terminals to forget in a partition", None);
    for _ in 0..LISTS {
        let look = async |partition: &BenchPartition| {
            partition.store.forget_away(Duration::from_secs(3600)).await.expect("Redis answers");
        };
        step.round(recorder.servers, fleet.partitions.len() as u32, async || each(fleet, look).await).await;
    }
    recorder.add(step);
}

/// A beat of each node in each partition, in which it compares its sessions with the registry.
async fn beats(recorder: &mut Recorder<'_>, fleet: &BenchFleet) {
    let held = fleet.held();
    let mut step = MeasuredStep::new("a node's beat in a partition, with its sessions compared", None);
    for _ in 0..3 {
        let beat = async || {
            for (node, held) in fleet.nodes.iter().zip(&held) {
                let beat = async |(partition, held): (&BenchPartition, &Vec<u32>)| {
                    let renewal = LeaseRenewal { lease: "{}", reached: 1, seen: None, held: Some(held) };
                    partition.store.beat(HolderNode { node, process: "bench" }, renewal).await.expect("Redis answers");
                };
                stream::iter(fleet.partitions.iter().zip(held)).for_each_concurrent(AT_ONCE, beat).await;
            }
        };
        step.round(recorder.servers, (fleet.nodes.len() * fleet.partitions.len()) as u32, beat).await;
        fleet.lease().await;
    }
    recorder.add(step);
}

/// Does this in each partition at once.
pub async fn each(fleet: &BenchFleet, work: impl AsyncFn(&BenchPartition)) {
    join_all(fleet.partitions.iter().map(|partition| work(partition))).await;
}
