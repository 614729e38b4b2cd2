//! What commands cost: for many and for one, accepted, reported, and looked at.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt, future::join_all, stream};
use muster_node::backplane::{
    CommandDraft, Cursor, accepted_at,
    redis::partition::{
        BeginOutcome, CommittedShare, PartitionAsk, PartitionBounds, RaisedState, ShareAsk, ShareOutcome, ShareTargets,
        selection::SetExpression,
    },
};
use muster_protocol::{
    CommandId,
    api::TargetState::{self, Acked, Sent, Succeeded},
    partition::{PartitionIndex, command_id},
};

use crate::{
    fleet::{AT_ONCE, BenchFleet, BenchPartition, STORED, terminal},
    registry::each,
    spread::COMMAND,
    step::{MeasuredStep, Recorder},
};

/// The set of all terminals, as scripts read it.
pub const ALL: &str = "all\n";
/// Rounds of each measurement.
const ROUNDS: u32 = 3;
/// Commands to single terminals in a round at most.
const SINGLES: u32 = 5_000;
/// The reports into which what comes back within a second is divided: one each 50 ms.
const PORTIONS: usize = 20;

/// An epoch that every store has.
fn any_epoch() -> Cursor {
    Cursor { epoch: String::new(), number: 0 }
}

fn bounds() -> PartitionBounds {
    PartitionBounds { keep: Duration::from_secs(600), log: 10_000, backlog: 1000, bytes: STORED }
}

/// A command that lives as long as the benchmark.
fn draft(target: &str, home: PartitionIndex) -> CommandDraft {
    let request = format!(
        r#"{{"target":{target},"name":"show","payload":{{"text":"The next train leaves at 10:42"}},"expires_in":"1d"}}"#
    );
    let mut draft = CommandDraft::new(serde_json::from_str(&request).expect("a request"), None);
    draft.frame.id = command_id(home);
    draft
}

fn ask<'a>(draft: &'a CommandDraft, bounds: &'a PartitionBounds) -> PartitionAsk<'a> {
    let expires_in = draft.request.expires_in;
    PartitionAsk { draft, by: "ann", with_key: false, again: false, expires_in, bounds, seen: None }
}

/// Accepts a command for a set in all partitions, as a node does it. Its home is one at random.
pub async fn accept(fleet: &BenchFleet, set: &str) -> CommandId {
    let home = &fleet.partitions[rand::random_range(0..fleet.partitions.len())].store;
    let (draft, bounds) = (draft(r#"{"all":true}"#, home.index), bounds());
    let (ask, targets) = (ask(&draft, &bounds), ShareTargets::Set(set));
    let survey = fleet.partitions.iter().map(async |partition| {
        (partition.store.index.0, partition.store.survey(&ask, targets, true).await.expect("it is accepted").targets)
    });
    let surveyed: BTreeMap<_, _> = join_all(survey).await.into_iter().filter(|(_, count)| *count > 0).collect();
    let begun = home.begin(&ask, &surveyed).await.expect("it is begun");
    let BeginOutcome::Begun(begun) = begun else { panic!("{begun:?}") };
    let share_ask = ShareAsk { keep: bounds.keep, log: bounds.log, backlog: bounds.backlog, seen: None };
    let shares = surveyed.keys().map(async |index| {
        let store = &fleet.partitions[usize::from(*index)].store;
        let taken = store.share(&begun, targets, None, share_ask).await.expect("the share is taken");
        let ShareOutcome::Taken { targets: of, rejected, .. } = taken else { panic!("{taken:?}") };
        (*index, CommittedShare { of, rejected, late: 0 })
    });
    let shares = join_all(shares).await.into_iter().collect();
    assert!(home.commit(begun.id, &shares).await.expect("it is committed"));
    begun.id
}

/// Marks a command as sent and acknowledged by all of its targets, without reports.
pub async fn confirm_by_hand(fleet: &BenchFleet, id: CommandId) {
    each(fleet, async |partition| {
        for state in ["sent", "acked"] {
            let copy = partition.keys.key(&format!("command:{id}:{state}"));
            let _: bool = partition.ask("COPY", &format!("command:{id}:targets"), &[&copy]).await;
        }
    })
    .await;
}

/// Commands for many, then commands for one.
pub async fn measure(recorder: &mut Recorder<'_>, fleet: &BenchFleet) {
    let half = SetExpression::Label("kind".into(), "a".into()).and(SetExpression::Connected).to_postfix();
    for (name, set, targets) in [
        ("a command to all is accepted, per target", ALL, fleet.terminals),
        ("a command to half of all by a selector is accepted, per target", &half.expect("a set"), fleet.terminals / 2),
    ] {
        let mut step = MeasuredStep::new(name, None);
        for _ in 0..ROUNDS {
            step.round(recorder.servers, targets, async || _ = accept(fleet, set).await).await;
        }
        recorder.add(step);
    }
    let id = report(recorder, fleet).await;
    let mut looks = [
        MeasuredStep::new("a command to all is looked up", None),
        MeasuredStep::new("a page of its targets, 512", None),
    ];
    for _ in 0..ROUNDS {
        let look = async || each(fleet, async |one| _ = one.store.command(id).await.expect("Redis answers")).await;
        looks[0].round(recorder.servers, 1, look).await;
        let page = async || _ = fleet.partitions[0].store.targets(id, None, None, 512).await.expect("Redis answers");
        looks[1].round(recorder.servers, 1, page).await;
    }
    looks.into_iter().for_each(|step| recorder.add(step));
    singles(recorder, fleet).await;
}

/// Reports of a command to all, and the memory that it takes.
async fn report(recorder: &mut Recorder<'_>, fleet: &BenchFleet) -> CommandId {
    let held = fleet.held();
    let mut id = accept(fleet, ALL).await;
    let mut steps = [
        MeasuredStep::new("`sent`, per target, as a node's walk ends", 0.05),
        MeasuredStep::new("`acked`, per target, as acks come in for 1 s", 0.8),
        MeasuredStep::new("`succeeded`, per target, as results come in for 1 s", None),
    ];
    for round in 0..ROUNDS {
        if round > 0 {
            id = accept(fleet, ALL).await;
        }
        for (step, (state, portions, at)) in
            steps.iter_mut().zip([(Sent, 1, 5), (Acked, PORTIONS, 40), (Succeeded, PORTIONS, 90)])
        {
            step.round(recorder.servers, fleet.terminals, async || raise(fleet, &held, id, state, portions, at).await)
                .await;
            if round == 0 && state == Acked {
                let bytes = recorder.servers.memory_of(&format!("*:command:{id}*")).await / f64::from(fleet.terminals);
                recorder.figure("memory of a target with its times", bytes, 16.0, "bytes");
            }
        }
    }
    steps.into_iter().for_each(|step| recorder.add(step));
    id
}

/// Each node reports its terminals in so many portions, from `at` milliseconds after the acceptance on, 50 ms apart.
async fn raise(
    fleet: &BenchFleet,
    held: &[Vec<Vec<u32>>],
    id: CommandId,
    state: TargetState,
    portions: usize,
    at: u64,
) {
    let begun = accepted_at(id).as_millisecond() as u64 + at;
    for portion in 0..portions {
        for held in held {
            let raise = async |(partition, held): (&BenchPartition, &Vec<u32>)| {
                let time = |ordinal: u32| begun + 50 * portion as u64 + u64::from(ordinal % 50);
                let ordinals = held.iter().skip(portion).step_by(portions);
                let targets: Vec<_> = ordinals.map(|ordinal| (*ordinal, time(*ordinal))).collect();
                if targets.is_empty() {
                    return;
                }
                let raised = RaisedState { command: id, state, settled: false, targets };
                let outcome =
                    partition.store.raise(&any_epoch(), &raised).await.expect("Redis answers").expect("any epoch");
                if outcome.is_settled && outcome.is_share {
                    let home = fleet.count.home(id);
                    let home = &fleet.partitions[usize::from(home.0)].store;
                    home.finish_share(id, partition.store.index).await.expect("Redis answers");
                }
            };
            stream::iter(fleet.partitions.iter().zip(held)).for_each_concurrent(AT_ONCE, raise).await;
        }
    }
}

/// Commands to single terminals, to different ones, and their reports.
async fn singles(recorder: &mut Recorder<'_>, fleet: &BenchFleet) {
    let (count, bounds) = (SINGLES.min(fleet.terminals / ROUNDS), bounds());
    let (mut accepted, mut reported) =
        (MeasuredStep::new(COMMAND, 30.0), MeasuredStep::new("its `sent` and its `acked`, 1 a call", None));
    for round in 0..ROUNDS {
        let draft = |n: u32| {
            let n = (round * count + n) * (fleet.terminals / (ROUNDS * count));
            (n, draft(&format!(r#"{{"terminal":"{}"}}"#, terminal(n)), fleet.partition(n).store.index))
        };
        let drafts: Vec<_> = (0..count).map(draft).collect();
        let accept = async |(n, draft): &(u32, CommandDraft)| {
            fleet.partition(*n).store.accept_one(&ask(draft, &bounds), &[terminal(*n)]).await.expect("it is accepted");
        };
        let all = async || stream::iter(&drafts).for_each_concurrent(AT_ONCE, accept).await;
        accepted.round(recorder.servers, count, all).await;
        let report = async |(n, draft): &(u32, CommandDraft)| {
            let begun = accepted_at(draft.frame.id).as_millisecond() as u64;
            for (state, at) in [(Sent, 2), (Acked, 20)] {
                let targets = vec![(fleet.ordinal(*n), begun + at)];
                let raised = RaisedState { command: draft.frame.id, state, settled: false, targets };
                let outcome = fleet.partition(*n).store.raise(&any_epoch(), &raised).await.expect("Redis answers");
                assert_eq!(outcome.map(|outcome| outcome.rose), Some(1));
            }
        };
        let all = async || stream::iter(&drafts).for_each_concurrent(AT_ONCE, report).await;
        reported.round(recorder.servers, count, all).await;
    }
    recorder.add(accepted);
    recorder.add(reported);
}
