//! Commands that are looked up, listed, cancelled and forgotten.

use std::{collections::BTreeMap, time::Duration};

use muster_node::backplane::{
    CommandFilter,
    redis::partition::{ListedCommand, PartitionAsk, share::ShareTargets},
};
use muster_protocol::{
    CommandId, Payload,
    api::{CommandState, TargetState},
};
use serde_json::json;

use crate::{
    commands::{ask, bounds, draft, json_of, terminals},
    fleet::terminal,
    states::of_epoch,
    store::TestPartition,
};

use TargetState::{Acked, Queued, Sent};

async fn accept(store: &TestPartition, fields: &str, by: &str, ordinals: &[u32]) -> CommandId {
    let (draft, bounds) = (draft(fields), bounds());
    let ask = PartitionAsk { by, ..ask(&draft, &bounds) };
    store.partition.accept_one(&ask, &terminals(ordinals)).await.unwrap();
    draft.frame.id
}

#[tokio::test]
async fn a_command_is_shown_as_it_was_asked_for() {
    let store = TestPartition::start().await;
    store.register(0, 3, Some("n1")).await;
    let id = accept(&store, r#""confirm":"result","expires_in":"2h""#, "bob", &[0, 2]).await;
    let shown = store.partition.command(id).await.unwrap().unwrap();
    let mut expected = draft(r#""confirm":"result","expires_in":"2h""#).request;
    expected.payload = Payload::from_value(&json!({"page": 1}));
    assert_eq!((&shown.record.request, shown.record.by.as_str(), shown.is_accepted), (&expected, "bob", true));
    assert_eq!((shown.record.counts, shown.shares), (BTreeMap::from([(Queued, 2)]), None));
    assert!(store.partition.command(draft("").frame.id).await.unwrap().is_none());
    let frames = store.partition.frames(&[draft("").frame.id, id]).await.unwrap();
    assert!(frames[0].is_none() && frames[1].as_ref().is_some_and(|frame| frame.id == id), "{frames:?}");
}

#[tokio::test]
async fn a_cancelled_command_is_marked_told_and_not_given_out() {
    for is_many in [false, true] {
        let store = TestPartition::start().await;
        store.register(0, 2, Some("n1")).await;
        let id = if is_many {
            let draft = draft("");
            store.accept_set(&draft, "all\n").await;
            draft.frame.id
        } else {
            accept(&store, "", "ann", &[0, 1]).await
        };
        let mut broadcast = store.listen("broadcast").await;
        store.raise(id, Sent, &[(0, 5)]).await;
        for _ in 0..2 {
            assert!(store.partition.cancel(id, Some(false), None).await.unwrap().is_some());
        }
        assert_eq!(json_of(&mut broadcast).await, json!({"cancel": {"command": id.to_string()}}));
        assert_eq!(store.partition.frames(&[id]).await.unwrap(), [None]);
        assert!(store.partition.command(id).await.unwrap().unwrap().record.cancelled);
        let told = store.told().await.into_iter().filter(|event| event.contains("cancelled")).count();
        assert_eq!(told, 1, "many: {is_many}");
    }
}

#[tokio::test]
async fn what_was_sent_to_all_or_has_expired_stays_as_it_is() {
    let store = TestPartition::start().await;
    store.register(0, 1, Some("n1")).await;
    let (sent, short) =
        (accept(&store, "", "ann", &[0]).await, accept(&store, r#""expires_in":"1ms""#, "ann", &[0]).await);
    store.raise(sent, Sent, &[(0, 5)]).await;
    store.let_pass(5).await;
    for id in [sent, short] {
        assert_eq!(store.partition.cancel(id, Some(false), None).await.unwrap(), Some(false));
        assert!(!store.partition.command(id).await.unwrap().unwrap().record.cancelled);
    }
    assert!(store.partition.cancel(draft("").frame.id, Some(false), None).await.unwrap().is_none());
}

#[tokio::test]
async fn a_home_is_cancelled_only_if_a_share_is() {
    let store = TestPartition::start().await;
    store.register(0, 1, Some("n1")).await;
    for (was_sent, others, is_cancelled) in [(true, false, false), (true, true, true), (false, false, true)] {
        let draft = draft("");
        store.accept_set(&draft, "all\n").await;
        if was_sent {
            store.raise(draft.frame.id, Sent, &[(0, 5)]).await;
        }
        let told = store.told().await.len();
        store.partition.cancel(draft.frame.id, Some(others), None).await.unwrap();
        let record = store.partition.command(draft.frame.id).await.unwrap().unwrap().record;
        assert_eq!(record.cancelled, is_cancelled, "sent: {was_sent}, others: {others}");
        assert_eq!(store.told().await.len() - told, usize::from(is_cancelled));
    }
}

#[tokio::test]
async fn a_share_of_several_named_terminals_is_not_a_command_of_its_own() {
    let store = TestPartition::start().await;
    store.register(0, 2, Some("n1")).await;
    let begun = store.begin(&draft("")).await;
    let named = terminals(&[0, 1]);
    store.share(&begun, ShareTargets::Named(&named)).await;
    assert_eq!(store.partition.cancel_alone(begun.id).await.unwrap(), None, "other partitions have shares too");
    assert_eq!(store.partition.cancel_alone(accept(&store, "", "ann", &[0]).await).await.unwrap(), Some(true));
}

#[tokio::test]
async fn targets_come_in_pages_by_state_and_keep_their_names() {
    for is_many in [false, true] {
        let store = TestPartition::start().await;
        store.register(0, 500, None).await;
        let id = if is_many {
            let draft = draft("");
            store.accept_set(&draft, "all\n").await;
            draft.frame.id
        } else {
            accept(&store, "", "ann", &(0..500).collect::<Vec<_>>()).await
        };
        let every_third: Vec<_> = (0..500).step_by(3).map(|ordinal| (ordinal, u64::from(ordinal))).collect();
        store.raise(id, Acked, &every_third).await;
        // A terminal that is forgotten leaves its name.
        let () = store.ask("HSET", "terminals", &["3", "\n{\"terminal\":\"t3\"}"]).await;
        let () = store.ask("HDEL", "ordinals", &["t3"]).await;
        for (state, expected) in [
            (Some(Acked), (0..500).filter(|ordinal| ordinal % 3 == 0).collect::<Vec<_>>()),
            (Some(Queued), (0..500).filter(|ordinal| ordinal % 3 != 0).collect()),
            (None, (0..500).collect()),
            (Some(Sent), vec![]),
            (Some(TargetState::Cancelled), vec![]),
        ] {
            let (mut after, mut shown) = (None, Vec::new());
            loop {
                let page = store
                    .partition
                    .targets(id, state.as_ref().map(std::slice::from_ref), after, 64)
                    .await
                    .unwrap()
                    .unwrap();
                assert!(page.targets.len() <= 64);
                for target in &page.targets {
                    assert_eq!(target.terminal, terminal(target.ordinal));
                    let acked = (target.ordinal % 3 == 0).then_some(u64::from(target.ordinal));
                    assert_eq!(target.record.steps, [None, acked, None, None], "{target:?}");
                }
                shown.extend(page.targets.iter().map(|target| target.ordinal));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(shown, expected, "{state:?}, many: {is_many}");
        }
    }
}

#[tokio::test]
async fn a_page_of_targets_that_lie_far_apart_reads_four_buckets() {
    let store = TestPartition::start().await;
    for first in [0, 5000, 20_000, 62_000] {
        store.register(first, first + 2, None).await;
    }
    let draft = draft("");
    store.accept_set(&draft, "all\n").await;
    store.raise(draft.frame.id, Sent, &[(1, 5), (5001, 6), (62_001, 7)]).await;
    let (mut after, mut pages) = (None, Vec::new());
    loop {
        let page = store.partition.targets(draft.frame.id, None, after, 512).await.unwrap().unwrap();
        pages.push(page.targets.iter().map(|target| (target.ordinal, target.record.steps[0])).collect::<Vec<_>>());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let expected = [
        vec![(0, None), (1, Some(5)), (5000, None), (5001, Some(6))],
        vec![(20_000, None), (20_001, None)],
        vec![(62_000, None), (62_001, Some(7))],
    ];
    assert_eq!(pages, expected);
}

fn ids(commands: &[ListedCommand]) -> Vec<CommandId> {
    commands.iter().map(|command| command.place.id).collect()
}

#[tokio::test]
async fn commands_are_listed_newest_first_by_what_is_asked_for() {
    let store = TestPartition::start().await;
    store.register(0, 3, Some("n1")).await;
    let first = accept(&store, "", "ann", &[0]).await;
    let second = accept(&store, r#""expires_in":"1ms""#, "bob", &[1]).await;
    let third = accept(&store, "", "bob", &[0, 2]).await;
    // The order of two within a millisecond is not told.
    store.let_pass(5).await;
    let many = draft("");
    store.accept_set(&many, "all\n").await;
    let fourth = many.frame.id;
    store.partition.cancel(third, Some(false), None).await.unwrap();
    store.raise(first, Acked, &[(0, 5)]).await;
    store.let_pass(5).await;
    let list = async |filter: CommandFilter| ids(&store.partition.commands(&filter, None, 10).await.unwrap().commands);
    let none = CommandFilter::default;
    assert_eq!(list(none()).await, [fourth, third, second, first]);
    assert_eq!(list(CommandFilter { by: Some("bob".into()), ..none() }).await, [third, second]);
    assert_eq!(list(CommandFilter { name: Some("show".into()), ..none() }).await.len(), 4);
    assert_eq!(list(CommandFilter { name: Some("hide".into()), ..none() }).await, []);
    assert_eq!(list(CommandFilter { terminal: Some(terminal(0)), ..none() }).await, [fourth, third, first]);
    assert_eq!(list(CommandFilter { terminal: Some(terminal(1)), ..none() }).await, [fourth, second]);
    assert_eq!(list(CommandFilter { state: Some(CommandState::Open), ..none() }).await, [fourth]);
    assert_eq!(list(CommandFilter { state: Some(CommandState::Done), ..none() }).await, [second, first]);
    assert_eq!(list(CommandFilter { state: Some(CommandState::Cancelled), ..none() }).await, [third]);
    // A page may end between commands of one millisecond.
    let mut expected = [first, second, third, fourth];
    expected.sort_unstable();
    expected.reverse();
    for id in expected {
        let () = store.ask("ZADD", "homes", &["7", &id.to_string()]).await;
    }
    let (mut after, mut paged) = (None, Vec::new());
    loop {
        let page = store.partition.commands(&none(), after, 1).await.unwrap();
        paged.extend(ids(&page.commands));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, expected);
}

#[tokio::test]
async fn what_is_forgotten_leaves_nothing_behind() {
    let store = TestPartition::start().await;
    store.register(0, 3, None).await;
    let before = store.names().await;
    let (draft, mut bounds) = (draft(r#""expires_in":"100ms""#), bounds());
    bounds.keep = Duration::ZERO;
    store.partition.accept_one(&ask(&draft, &bounds), &terminals(&[0, 1])).await.unwrap();
    store.raise(draft.frame.id, Sent, &[(0, 5)]).await;
    store.partition.reply(&of_epoch(""), draft.frame.id, &[(0, Payload::from_text("x"))], &bounds).await.unwrap();
    store.let_pass(110).await;
    assert_eq!(store.partition.sweep().await, Ok(1));
    let rest: Vec<_> = store.names().await.into_iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(rest, ["accepted", "counted", "epoch", "events", "events_in", "log", "seq", "used"]);
    assert_eq!(store.ask::<i64>("GET", "used", &[]).await, 0);
}

#[tokio::test]
async fn a_sweep_forgets_a_bounded_number() {
    let store = TestPartition::start().await;
    store.register(0, 512, None).await;
    let (mut bounds, all) = (bounds(), (0..512).collect::<Vec<_>>());
    (bounds.keep, bounds.log) = (Duration::from_millis(1), 1000);
    for _ in 0..5 {
        let draft = draft(r#""expires_in":"2s""#);
        store.partition.accept_one(&ask(&draft, &bounds), &terminals(&all)).await.unwrap();
    }
    store.let_pass(2010).await;
    let mut swept = Vec::new();
    while store.ask::<u64>("ZCARD", "stored", &[]).await > 0 {
        swept.push(store.partition.sweep().await.unwrap());
    }
    assert_eq!(swept, [2, 2, 1], "1,024 targets a call");
}

#[tokio::test]
async fn the_frames_of_no_commands_are_none() {
    assert!(TestPartition::start().await.partition.stored_frames(&[]).await.unwrap().is_empty());
}
