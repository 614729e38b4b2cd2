//! A command for many: surveyed, begun, shared and committed.

use std::{collections::BTreeMap, time::Duration};

use data_encoding::BASE64;
use muster_node::backplane::{
    BackplaneError, CommandDraft,
    redis::partition::{
        BeginOutcome, BegunCommand, CommittedShare, PartitionBounds, ShareAsk, ShareOutcome, ShareTargets,
    },
};
use muster_protocol::api::{DryRun, TargetState};
use serde_json::json;

use crate::{
    commands::{ask, bounds, draft, json_of, keyed, terminals},
    store::TestPartition,
};

fn share_ask(bounds: &PartitionBounds) -> ShareAsk<'_> {
    ShareAsk { keep: bounds.keep, log: bounds.log, backlog: bounds.backlog, seen: None }
}

impl TestPartition {
    pub async fn begin(&self, draft: &CommandDraft) -> BegunCommand {
        let begun = self.partition.begin(&ask(draft, &bounds()), &BTreeMap::from([(0, 7)])).await.unwrap();
        let BeginOutcome::Begun(begun) = begun else { panic!("{begun:?}") };
        begun
    }

    pub async fn share(&self, begun: &BegunCommand, targets: ShareTargets<'_>) -> ShareOutcome {
        self.partition.share(begun, targets, None, share_ask(&bounds())).await.unwrap()
    }

    /// Accepts a command for the terminals of a set. Its home and only share are here.
    pub async fn accept_set(&self, draft: &CommandDraft, set: &str) -> u64 {
        let begun = self.begin(draft).await;
        let ShareOutcome::Taken { targets: of, rejected, .. } = self.share(&begun, ShareTargets::Set(set)).await else {
            panic!("the share is not taken")
        };
        let shares = BTreeMap::from([(0, CommittedShare { of, rejected, late: 0 })]);
        assert!(self.partition.commit(begun.id, &shares).await.unwrap());
        of
    }
}

#[tokio::test]
async fn a_survey_counts_and_changes_nothing() {
    let store = TestPartition::start().await;
    store.register(0, 5, Some("n1")).await;
    store.register(5, 9, None).await;
    let (queue, skip, bounds) = (draft(""), draft(r#""offline":"skip""#), bounds());
    let (mixed, unknown) = (terminals(&[1, 6]), terminals(&[1, 77]));
    let survey =
        async |draft: &CommandDraft, targets| store.partition.survey(&ask(draft, &bounds), targets, true).await;
    let count = |targets, online| Ok(DryRun { targets, online });
    assert_eq!(survey(&queue, ShareTargets::Set("all\n")).await, count(9, 5));
    assert_eq!(survey(&skip, ShareTargets::Set("all\n")).await, count(5, 5));
    assert_eq!(survey(&queue, ShareTargets::Named(&mixed)).await, count(2, 1));
    let refused = survey(&skip, ShareTargets::Named(&mixed)).await;
    assert_eq!(refused, Err(BackplaneError::Offline(terminals(&[6]))));
    let refused = survey(&queue, ShareTargets::Named(&unknown)).await;
    assert_eq!(refused, Err(BackplaneError::Unknown(terminals(&[77]))));
    let small = PartitionBounds { bytes: 1000, ..bounds.clone() };
    let refused = store.partition.survey(&ask(&queue, &small), ShareTargets::Set("all\n"), true).await;
    assert_eq!(refused, Err(BackplaneError::NoRoom(0)));
    assert!(
        store.partition.survey(&ask(&queue, &small), ShareTargets::Set("all\n"), false).await.is_ok(),
        "only counted"
    );
    assert!(store.is_untouched().await);
}

#[tokio::test]
async fn a_share_for_all_is_one_broadcast_and_is_taken_once() {
    let store = TestPartition::start().await;
    store.register(0, 5, Some("n1")).await;
    let mut broadcast = store.listen("broadcast").await;
    let draft = draft("");
    let begun = store.begin(&draft).await;
    let first = store.share(&begun, ShareTargets::Set("all\n")).await;
    let ShareOutcome::Taken { targets: 5, rejected: 0, ref place } = first else { panic!("{first:?}") };
    assert_eq!(json_of(&mut broadcast).await, json!("renamed"));
    let sent = json_of(&mut broadcast).await;
    assert_eq!((&sent["deliver"]["to"], &sent["deliver"]["number"]), (&json!("all"), &json!(place.number)));
    assert_eq!(sent["deliver"]["command"], begun.frame.parse::<serde_json::Value>().unwrap());
    store.register(5, 6, Some("n1")).await;
    assert_eq!(
        store.share(&begun, ShareTargets::Set("all\n")).await,
        first,
        "its targets were fixed when it was taken"
    );
    assert_eq!(store.ask::<u64>("XLEN", "log", &[]).await, 1);
    let open: Vec<String> = store.ask("ZRANGE", "open", &["0", "-1"]).await;
    assert_eq!(open, [format!("{} {}", begun.id, begun.expires_at.as_millisecond())]);
    assert!(store.bit("unconfirmed", 4).await && !store.bit("unconfirmed", 5).await);
}

#[tokio::test]
async fn a_share_of_a_set_is_sent_with_its_bitmap() {
    let store = TestPartition::start().await;
    store.register(0, 30, Some("n1")).await;
    let mut broadcast = store.listen("broadcast").await;
    for (ids, expected) in [("t0,t9", vec![128, 64]), ("t0,t9,t23", vec![128, 64, 1]), ("t29", vec![0, 0, 0, 4])] {
        let begun = store.begin(&draft(r#""rate":5"#)).await;
        let set = format!("ids:{ids}\n");
        let shared = store.partition.share(&begun, ShareTargets::Set(&set), Some(2.5), share_ask(&bounds())).await;
        assert!(matches!(shared, Ok(ShareOutcome::Taken { .. })), "{shared:?}");
        let mut sent = json_of(&mut broadcast).await;
        if sent == json!("renamed") {
            sent = json_of(&mut broadcast).await;
        }
        let bits = BASE64.decode(sent["deliver"]["to"]["bits"].as_str().unwrap().as_bytes()).unwrap();
        assert_eq!((bits.iter().rposition(|byte| *byte > 0).map(|last| &bits[..=last])), Some(&expected[..]));
        assert_eq!(sent["deliver"]["rate"], json!(2.5), "this partition's part of the rate");
        assert_eq!(sent["deliver"]["of"], json!(ids.split(',').count()));
    }
}

#[tokio::test]
async fn a_share_rejects_whom_it_cannot_take_any_more() {
    let store = TestPartition::start().await;
    store.register(0, 2, Some("n1")).await;
    store.register(2, 4, None).await;
    let draft = draft(r#""offline":"skip""#);
    let begun = store.begin(&draft).await;
    let shared = store.share(&begun, ShareTargets::Named(&terminals(&[0, 2, 7, 8]))).await;
    assert!(matches!(shared, ShareOutcome::Taken { targets: 1, rejected: 3, .. }), "{shared:?}");
    assert_eq!(store.share(&begun, ShareTargets::Named(&terminals(&[0, 2, 7, 8]))).await, shared);
    assert_eq!(store.backlog(0).await, [begun.id.to_string()]);
    let refused: serde_json::Value = store.field(begun.id, "refused").await.unwrap().parse().unwrap();
    assert_eq!(refused, json!([["t7", "unknown"], ["t8", "unknown"], ["t2", "offline"]]));
    let counts = store.counts(begun.id).await;
    assert_eq!(counts, BTreeMap::from([(TargetState::Queued, 1), (TargetState::Rejected, 3)]));
    for (terminal, is_target) in [(0, true), (2, true), (7, true), (1, false)] {
        let asked = store.partition.is_target(&crate::fleet::terminal(terminal), &[begun.id]).await;
        assert_eq!(asked, Ok(vec![is_target]), "t{terminal}");
    }
    let row = |(terminal, reason): (u32, &str)| (crate::fleet::terminal(terminal), reason.to_owned());
    let all = [(7, "unknown"), (8, "unknown"), (2, "offline")].map(row);
    for limit in [1, 2, 3, 512] {
        let (mut named, mut rejected, mut after) = (0, Vec::new(), None);
        loop {
            let page = store.partition.targets(begun.id, None, after, limit).await.unwrap().unwrap();
            assert!(page.targets.len() + page.rejected.len() <= limit);
            named += page.targets.len();
            rejected.extend(page.rejected);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!((named, &rejected[..]), (1, &all[..]), "in pages of {limit}");
    }
    let of_state = async |state| store.partition.targets(begun.id, Some(&[state]), None, 9).await.unwrap().unwrap();
    assert_eq!(of_state(TargetState::Rejected).await.rejected, all);
    assert_eq!(of_state(TargetState::Queued).await.rejected, []);
}

#[tokio::test]
async fn a_share_of_more_named_terminals_is_taken_in_portions_and_at_once() {
    let store = TestPartition::start().await;
    store.register(0, 1200, Some("n1")).await;
    store.register(1200, 1300, None).await;
    let (queue, skip) = (draft(""), draft(r#""offline":"skip""#));
    let named = terminals(&(0..1303).collect::<Vec<_>>());
    let survey =
        async |draft: &CommandDraft, targets| store.partition.survey(&ask(draft, &bounds()), targets, true).await;
    let portions = ShareTargets::Frozen(&named).portions();
    assert_eq!(portions.len(), 3);
    assert_eq!(survey(&queue, portions[0]).await, Ok(DryRun { targets: 512, online: 512 }));
    assert_eq!(survey(&queue, portions[2]).await, Err(BackplaneError::Unknown(terminals(&[1300, 1301, 1302]))));
    let begun = store.begin(&queue).await;
    let before = store.names().await;
    let shared = store.share(&begun, ShareTargets::Frozen(&named)).await;
    assert!(matches!(shared, ShareOutcome::Taken { targets: 1300, rejected: 3, .. }), "{shared:?}");
    assert_eq!(store.share(&begun, ShareTargets::Frozen(&named)).await, shared);
    assert!(
        store.names().await.iter().all(|name| !name.ends_with(":frozen") && !name.contains("backlog")),
        "{before:?}"
    );
    let page = store.partition.targets(begun.id, Some(&[TargetState::Rejected]), None, 9).await.unwrap().unwrap();
    let gone = [1300, 1301, 1302].map(|gone| (crate::fleet::terminal(gone), "unknown".to_owned()));
    assert_eq!((page.targets.len(), &page.rejected[..]), (0, &gone[..]));
    // Who went offline since the survey.
    let begun = store.begin(&skip).await;
    let shared = store.share(&begun, ShareTargets::Frozen(&named[..1202])).await;
    assert!(matches!(shared, ShareOutcome::Taken { targets: 1200, rejected: 2, .. }), "{shared:?}");
    let page = store.partition.targets(begun.id, Some(&[TargetState::Rejected]), None, 9).await.unwrap().unwrap();
    let away = [1200, 1201].map(|away| (crate::fleet::terminal(away), "offline".to_owned()));
    assert_eq!(page.rejected, away);
}

#[tokio::test]
async fn what_was_begun_is_found_until_it_is_committed() {
    let store = TestPartition::start().await;
    store.register(0, 3, None).await;
    let begun = store.begin(&draft("")).await;
    assert_eq!(store.partition.unfinished(Duration::from_secs(2)).await.unwrap(), []);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let found = store.partition.unfinished(Duration::from_millis(5)).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&begun));
    assert!(!store.partition.command(begun.id).await.unwrap().unwrap().is_accepted);
    let shares = BTreeMap::from([
        (0, CommittedShare { of: 3, rejected: 0, late: 0 }),
        (1, CommittedShare { late: 4, ..Default::default() }),
    ]);
    assert!(store.partition.commit(begun.id, &shares).await.unwrap());
    assert_eq!(store.partition.unfinished(Duration::ZERO).await.unwrap(), []);
    let command = store.partition.command(begun.id).await.unwrap().unwrap();
    assert_eq!((command.is_accepted, command.shares), (true, Some(shares)));
    assert_eq!(
        command.record.counts,
        BTreeMap::from([(TargetState::Expired, 4)]),
        "a share that came too late expired"
    );
    assert_eq!((command.record.by.as_str(), command.record.created_at), ("ann", begun.created_at));
}

#[tokio::test]
async fn a_share_that_comes_too_late_or_after_a_cancel_is_not_taken() {
    let store = TestPartition::start().await;
    store.register(0, 3, None).await;
    let (late, cancelled) = (store.begin(&draft(r#""expires_in":"100ms""#)).await, store.begin(&draft("")).await);
    tokio::time::sleep(Duration::from_millis(110)).await;
    assert_eq!(store.share(&late, ShareTargets::Set("all\n")).await, ShareOutcome::Late);
    assert!(
        store.partition.cancel(cancelled.id, Some(false), Some(Duration::from_secs(60))).await.unwrap() == Some(true)
    );
    assert_eq!(store.share(&cancelled, ShareTargets::Set("all\n")).await, ShareOutcome::Cancelled);
    assert_eq!(store.ask::<u64>("XLEN", "log", &[]).await, 0);
    assert!(store.partition.command(cancelled.id).await.unwrap().unwrap().record.cancelled);
}

#[tokio::test]
async fn a_share_without_targets_is_taken_and_takes_no_number() {
    let store = TestPartition::start().await;
    store.register(0, 3, None).await;
    let first = store.begin(&draft("")).await;
    store.share(&first, ShareTargets::Set("all\n")).await;
    let before: u64 = store.ask("GET", "seq", &[]).await;
    let empty = store.begin(&draft("")).await;
    for _ in 0..2 {
        let shared = store.share(&empty, ShareTargets::Set("connected\n")).await;
        let ShareOutcome::Taken { targets: 0, place, .. } = shared else { panic!("{shared:?}") };
        assert_eq!(place.number, 0);
    }
    assert_eq!(store.ask::<u64>("GET", "seq", &[]).await, before, "a number that the log lacks would look like a loss");
    assert_eq!(store.ask::<u64>("XLEN", "log", &[]).await, 1);
}

#[tokio::test]
async fn a_key_begins_one_command() {
    let store = TestPartition::start().await;
    let (first, again, other) = (keyed("k", "a"), keyed("k", "a"), keyed("k", "b"));
    store.begin(&first).await;
    let begin = async |draft| store.partition.begin(&ask(draft, &bounds()), &BTreeMap::new()).await;
    assert_eq!(begin(&again).await, Ok(BeginOutcome::Before(first.frame.id)));
    assert_eq!(begin(&other).await, Err(BackplaneError::OtherBody(first.frame.id)));
}

#[tokio::test]
async fn at_most_a_thousand_commands_for_many_are_open() {
    let store = TestPartition::start().await;
    store.register(0, 3, None).await;
    let mut pipe = redis::pipe();
    for number in 0..1000 {
        pipe.zadd(store.keys.key("open"), format!("c{number} 99999999999999"), number).ignore();
    }
    store.run(&pipe).await;
    let (draft, bounds, named) = (draft(""), bounds(), terminals(&[0]));
    let survey = async |targets| store.partition.survey(&ask(&draft, &bounds), targets, true).await;
    assert_eq!(survey(ShareTargets::Set("all\n")).await, Err(BackplaneError::TooManyOpen(1000)));
    assert!(survey(ShareTargets::Named(&named)).await.is_ok(), "it stands in a backlog");
    let () = store.ask("ZREM", "open", &["c7 99999999999999"]).await;
    assert!(survey(ShareTargets::Set("all\n")).await.is_ok());
}

#[tokio::test]
async fn a_command_for_many_that_has_expired_is_closed_and_then_forgotten_whole() {
    let store = TestPartition::start().await;
    store.register(0, 3, None).await;
    let before = store.names().await;
    let mut bounds = bounds();
    bounds.keep = Duration::from_millis(300);
    let draft = draft(r#""expires_in":"200ms""#);
    let begun = store.partition.begin(&ask(&draft, &bounds), &BTreeMap::new()).await.unwrap();
    let BeginOutcome::Begun(begun) = begun else { panic!("{begun:?}") };
    store.partition.share(&begun, ShareTargets::Set("all\n"), None, share_ask(&bounds)).await.unwrap();
    store.raise(begun.id, TargetState::Acked, &[(0, 5), (1, 5)]).await;
    tokio::time::sleep(Duration::from_millis(210)).await;
    assert_eq!(store.partition.sweep().await, Ok(0));
    assert_eq!(store.ask::<u64>("ZCARD", "open", &[]).await, 0);
    assert_eq!(store.partition.telling().await.unwrap().0, [begun.id], "it is done since it expired");
    assert!(store.partition.tell_done(begun.id, "{}").await.unwrap());
    assert!(store.partition.command(begun.id).await.unwrap().is_some());
    tokio::time::sleep(Duration::from_millis(310)).await;
    assert_eq!(store.partition.sweep().await, Ok(1));
    let rest: Vec<_> = store.names().await.into_iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(rest, ["counted", "epoch", "events", "events_in", "log", "marks", "seq", "unconfirmed", "used"]);
    assert_eq!(store.ask::<i64>("GET", "used", &[]).await, 0);
}
