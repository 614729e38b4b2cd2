//! What terminals report of commands, and what is shown of it.

use std::collections::BTreeMap;

use muster_node::backplane::{
    Cursor, TargetRecord, accepted_at,
    redis::partition::{PartitionTarget, RaiseOutcome, RaisedState, raise::portions},
};
use muster_protocol::{CommandId, Payload, api::TargetState};

use crate::{
    commands::{ask, bounds, draft, terminals},
    store::TestPartition,
};

use TargetState::{Acked, Failed, Queued, Rejected, Running, Sent, Succeeded};

/// A report that these ordinals reached a state so many ms after the command's id was made.
pub fn raised(command: CommandId, state: TargetState, targets: &[(u32, u64)]) -> RaisedState {
    let begun = accepted_at(command).as_millisecond() as u64;
    let targets = targets.iter().map(|(ordinal, ms)| (*ordinal, begun + ms)).collect();
    RaisedState { command, state, settled: false, targets }
}

/// An epoch of which no number was seen.
pub fn of_epoch(epoch: &str) -> Cursor {
    Cursor { epoch: epoch.to_owned(), number: 0 }
}

impl TestPartition {
    /// How many targets rose by a report.
    pub async fn raise(&self, command: CommandId, state: TargetState, targets: &[(u32, u64)]) -> u64 {
        self.partition.raise(&of_epoch(""), &raised(command, state, targets)).await.unwrap().unwrap().rose
    }

    /// The number of targets in each state.
    pub async fn counts(&self, command: CommandId) -> BTreeMap<TargetState, u64> {
        self.partition.command(command).await.unwrap().unwrap().record.counts
    }

    /// All targets.
    pub async fn targets(&self, command: CommandId) -> Vec<PartitionTarget> {
        self.partition.targets(command, None, None, 512).await.unwrap().unwrap().targets
    }
}

/// Accepts a command for the terminals 0, 2 and 4 of 5 by name, or for all of them: many.
async fn accepted(store: &TestPartition, fields: &str, is_many: bool) -> CommandId {
    store.register(0, 5, Some("n1")).await;
    let (draft, bounds) = (draft(fields), bounds());
    if is_many {
        store.accept_set(&draft, "all\n").await;
    } else {
        store.partition.accept_one(&ask(&draft, &bounds), &terminals(&[0, 2, 4])).await.unwrap();
    }
    draft.frame.id
}

#[tokio::test]
async fn states_only_rise_in_any_order_and_keep_their_first_times() {
    for is_many in [false, true] {
        let store = TestPartition::start().await;
        let id = accepted(&store, "", is_many).await;
        assert_eq!(store.raise(id, Succeeded, &[(2, 400)]).await, 1);
        assert_eq!(store.raise(id, Sent, &[(0, 10), (2, 12)]).await, 1);
        assert_eq!(store.raise(id, Sent, &[(0, 99)]).await, 0, "a report may come twice");
        assert_eq!(store.raise(id, Acked, &[(2, 20), (0, 30)]).await, 1);
        assert_eq!(store.raise(id, Running, &[(2, 40)]).await, 0);
        assert_eq!(store.raise(id, Rejected, &[(2, 500)]).await, 1);
        assert_eq!(store.raise(id, Failed, &[(2, 600)]).await, 0);
        let targets = store.targets(id).await;
        let steps = |ordinal| targets.iter().find(|target| target.ordinal == ordinal).unwrap().record.clone();
        let expected = TargetRecord { state: Rejected, steps: [Some(12), Some(20), Some(40), Some(500)] };
        assert_eq!(steps(2), expected, "many: {is_many}");
        assert_eq!(steps(0), TargetRecord { state: Acked, steps: [Some(10), Some(30), None, None] });
        assert_eq!(steps(4), TargetRecord::QUEUED);
        let queued = if is_many { 3 } else { 1 };
        assert_eq!(store.counts(id).await, BTreeMap::from([(Queued, queued), (Acked, 1), (Rejected, 1)]));
    }
}

#[tokio::test]
async fn who_is_no_target_does_not_rise() {
    let store = TestPartition::start().await;
    let id = accepted(&store, "", false).await;
    assert_eq!(store.raise(id, Sent, &[(1, 10), (3, 10), (9000, 10)]).await, 0);
    store.register(5, 9, Some("n1")).await;
    let many = draft("");
    store.accept_set(&many, "ids:t0,t2,t4\n").await;
    assert_eq!(store.raise(many.frame.id, Sent, &[(1, 10), (3, 10), (4, 10), (9000, 10)]).await, 1);
    assert_eq!(store.counts(many.frame.id).await, BTreeMap::from([(Queued, 2), (Sent, 1)]));
    let unknown = draft("").frame.id;
    assert_eq!(store.raise(unknown, Sent, &[(0, 10)]).await, 0);
}

#[tokio::test]
async fn a_command_is_done_once_when_all_have_confirmed() {
    for (confirm, state, next) in [("none", Sent, Acked), ("ack", Acked, Running), ("result", Failed, Rejected)] {
        for is_many in [false, true] {
            let store = TestPartition::start().await;
            let id = accepted(&store, &format!(r#""confirm":"{confirm}""#), is_many).await;
            let all: Vec<_> = if is_many { (0..5).collect() } else { vec![0, 2, 4] };
            let reports: Vec<_> = all.iter().map(|ordinal| (*ordinal, 10)).collect();
            let (last, first) = reports.split_last().unwrap();
            let outcome = store.partition.raise(&of_epoch(""), &raised(id, state, first)).await.unwrap().unwrap();
            assert_eq!(outcome, RaiseOutcome { rose: first.len() as u64, is_settled: false, is_share: is_many });
            let outcome = store.partition.raise(&of_epoch(""), &raised(id, state, &[*last])).await.unwrap().unwrap();
            assert_eq!(outcome, RaiseOutcome { rose: 1, is_settled: true, is_share: is_many });
            let outcome = store.partition.raise(&of_epoch(""), &raised(id, next, &reports)).await.unwrap().unwrap();
            assert!(!outcome.is_settled, "{confirm}: {outcome:?}");
            if is_many {
                assert!(store.partition.finish_share(id, store.partition.index).await.unwrap());
                assert!(!store.partition.finish_share(id, store.partition.index).await.unwrap());
                assert!(store.partition.tell_done(id, "{}").await.unwrap());
                assert!(!store.partition.tell_done(id, "{}").await.unwrap());
            }
            let done = store.told().await.into_iter().filter(|event| event.starts_with("command.done")).count();
            assert_eq!(done, 1, "{confirm}, many: {is_many}");
        }
    }
}

#[tokio::test]
async fn followers_are_told_how_many_rose_and_how_many_are_in_the_state() {
    let store = TestPartition::start().await;
    let id = accepted(&store, "", false).await;
    store.raise(id, Sent, &[(0, 10), (2, 10)]).await;
    store.raise(id, Acked, &[(0, 10)]).await;
    store.raise(id, Sent, &[(0, 10), (4, 10)]).await;
    let event = |state, terminals, of| {
        format!(r#"command.state {{"command":"{id}","of":{of},"state":"{state}","terminals":{terminals}}}"#)
    };
    assert_eq!(store.told().await, [event("sent", 2, 2), event("acked", 1, 1), event("sent", 1, 2)]);
}

#[tokio::test]
async fn what_is_confirmed_leaves_the_backlog() {
    let store = TestPartition::start().await;
    let id = accepted(&store, "", false).await;
    store.raise(id, Sent, &[(0, 10), (2, 10)]).await;
    assert_eq!(store.backlog(0).await, [id.to_string()], "it may have been lost on its way");
    store.raise(id, Acked, &[(0, 10)]).await;
    let plain = RaisedState { settled: true, ..raised(id, Sent, &[(4, 10)]) };
    store.partition.raise(&of_epoch(""), &plain).await.unwrap().unwrap();
    assert_eq!((store.backlog(0).await.len(), store.backlog(2).await.len(), store.backlog(4).await.len()), (0, 1, 0));
}

#[tokio::test]
async fn the_last_reply_of_a_target_is_stored_within_the_bound() {
    let store = TestPartition::start().await;
    let id = accepted(&store, "", false).await;
    let (mut bounds, text) = (bounds(), |length| Payload::from_text(&"x".repeat(length)));
    let replies = [(0, text(10)), (0, text(20)), (1, text(5)), (2, text(30))];
    let used = async || store.ask::<i64>("GET", "used", &[]).await;
    let before = used().await;
    assert_eq!(store.partition.reply(&of_epoch(""), id, &replies, &bounds).await, Ok(Some(0)));
    assert_eq!(used().await - before, 2 * 100 + 22 + 32, "two replies, each with its quotes");
    store.partition.reply(&of_epoch(""), id, &[(2, Payload::default())], &bounds).await.unwrap();
    assert_eq!(used().await - before, 122);
    bounds.bytes = 2000;
    assert_eq!(store.partition.reply(&of_epoch(""), id, &[(4, text(1000))], &bounds).await, Ok(Some(1)));
    let shown: Vec<_> = store.targets(id).await.into_iter().map(|target| target.reply).collect();
    assert_eq!(shown, [text(20), Payload::default(), Payload::default()]);
}

#[tokio::test]
async fn replies_of_any_number_and_size_are_sent_in_portions() {
    let store = TestPartition::start().await;
    store.register(0, 512, None).await;
    let (draft, mut bounds) = (draft(""), bounds());
    bounds.bytes = 1 << 30;
    let all: Vec<_> = (0..512).collect();
    store.partition.accept_one(&ask(&draft, &bounds), &terminals(&all)).await.unwrap();
    let large = Payload::from_text(&"x".repeat(10_000));
    let replies: Vec<_> = all.iter().chain(&all).map(|ordinal| (*ordinal, large.clone())).collect();
    assert_eq!(store.partition.reply(&of_epoch(""), draft.frame.id, &replies, &bounds).await, Ok(Some(0)));
    // A page of them is cut by its bytes.
    let (mut after, mut pages, mut shown) = (None, 0, 0);
    loop {
        let page = store.partition.targets(draft.frame.id, None, after, 512).await.unwrap().unwrap();
        assert!(page.targets.len() <= 28, "{}", page.targets.len());
        (pages, shown, after) = (pages + 1, shown + page.targets.len(), page.next);
        if after.is_none() {
            break;
        }
    }
    assert_eq!((shown, pages), (512, 19));
}

#[tokio::test]
async fn a_report_whose_ordinals_another_epoch_gave_changes_nothing() {
    let store = TestPartition::start().await;
    let id = accepted(&store, "", false).await;
    let (epoch, state) = (store.ask::<String>("GET", "epoch", &[]).await, raised(id, Acked, &[(0, 10)]));
    assert_eq!(store.partition.raise(&of_epoch("another"), &state).await, Ok(None));
    let reply = [(0, Payload::from_text("x"))];
    assert_eq!(store.partition.reply(&of_epoch("another"), id, &reply, &bounds()).await, Ok(None));
    assert_eq!(store.partition.raise(&of_epoch(&epoch), &state).await.unwrap().unwrap().rose, 1);
    assert_eq!(store.partition.reply(&of_epoch(&epoch), id, &reply, &bounds()).await, Ok(Some(0)));
    let shown: Vec<_> = store.targets(id).await.into_iter().map(|target| target.reply).collect();
    assert_eq!(shown[0], Payload::from_text("x"));
}

#[tokio::test]
async fn a_store_that_lacks_what_the_reporting_node_has_seen_is_another_one() {
    let store = TestPartition::start().await;
    let id = accepted(&store, "", false).await;
    let [epoch, last] = [store.ask::<String>("GET", "epoch", &[]).await, store.ask("GET", "seq", &[]).await];
    let seen = |number| Cursor { epoch: epoch.clone(), number };
    let last: u64 = last.parse().unwrap();
    let (state, reply) = (raised(id, Acked, &[(0, 10)]), [(0, Payload::from_text("x"))]);
    assert_eq!(store.partition.raise(&seen(last), &state).await.unwrap().unwrap().rose, 1);
    // A replica that lacks the last command became the master: until a node shows it, it has the name that it had.
    assert_eq!(store.partition.raise(&seen(last + 1), &raised(id, Succeeded, &[(0, 20)])).await, Ok(None));
    let renamed: String = store.ask("GET", "epoch", &[]).await;
    assert_ne!(renamed, epoch);
    assert_eq!(store.partition.reply(&seen(last + 1), id, &reply, &bounds()).await, Ok(None));
    assert_eq!(store.counts(id).await[&Acked], 1);
    let next = Cursor { epoch: renamed, number: last + 9 };
    assert_eq!(store.partition.reply(&next, id, &reply, &bounds()).await, Ok(None), "a reply shows it too");
    assert_ne!(store.ask::<String>("GET", "epoch", &[]).await, next.epoch);
}

#[tokio::test]
async fn reports_of_several_commands_and_states_are_one_call() {
    let store = TestPartition::start().await;
    let (many, few) = (accepted(&store, "", true).await, accepted(&store, "", false).await);
    let reports = [
        raised(many, Sent, &[(0, 10), (1, 10), (2, 10), (3, 10), (4, 10), (9, 10)]),
        raised(many, Acked, &[(0, 20), (1, 20), (2, 20), (3, 20), (4, 20), (9, 20)]),
        raised(many, Succeeded, &[(1, 30)]),
        raised(few, Sent, &[(0, 10), (2, 10)]),
        raised(few, Acked, &[(0, 20)]),
    ];
    let portions = portions(reports.to_vec());
    assert_eq!(portions.len(), 1);
    assert_eq!(store.raise(many, Sent, &[(9, 1)]).await, 0, "the script is loaded");
    let before = store.calls().await;
    let mut outcomes = store.partition.raise_all(&of_epoch(""), &portions[0]).await.unwrap().unwrap();
    let after = store.calls().await;
    assert_eq!(after["evalsha"], before["evalsha"] + 1);
    outcomes.sort_by_key(|(command, _)| *command != many);
    let outcome = |rose, is_settled, is_share| RaiseOutcome { rose, is_settled, is_share };
    assert_eq!(outcomes, [(many, outcome(11, true, true)), (few, outcome(3, false, false))]);
    assert_eq!(store.counts(many).await, BTreeMap::from([(Acked, 4), (Succeeded, 1)]));
    let steps = store.targets(many).await.into_iter().map(|target| target.record.steps).collect::<Vec<_>>();
    assert_eq!(steps[..2], [[Some(10), Some(20), None, None], [Some(10), Some(20), None, Some(30)]]);
    assert_eq!(store.counts(few).await, BTreeMap::from([(Queued, 1), (Sent, 1), (Acked, 1)]));
    assert_eq!((store.backlog(0).await.len(), store.backlog(2).await.len()), (0, 1));
    let event = |id, state, terminals, of| {
        format!(r#"command.state {{"command":"{id}","of":{of},"state":"{state}","terminals":{terminals}}}"#)
    };
    let mut told = store.told().await;
    told.retain(|event| event.starts_with("command.state"));
    let mut expected = [
        event(many, "sent", 5, 5),
        event(many, "acked", 5, 5),
        event(many, "succeeded", 1, 1),
        event(few, "sent", 2, 2),
        event(few, "acked", 1, 1),
    ];
    expected.sort();
    told.sort();
    assert_eq!(told, expected);
}
