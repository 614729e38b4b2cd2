//! Sessions that join and leave.

use muster_node::{
    backplane::{JoinRequest, redis::partition::sessions::PartitionJoin},
    end::SessionEnd,
};
use muster_protocol::Payload;

use crate::{
    fixtures::{labels, node, session, with},
    store::TestPartition,
};

#[tokio::test]
async fn a_terminal_has_an_ordinal_that_it_keeps() {
    let store = TestPartition::start().await;
    let (first, _) = store.joined(&session("a"), "n1").await;
    let (second, _) = store.joined(&session("b"), "n1").await;
    let (again, _) = store.joined(&session("a"), "n2").await;
    assert_eq!((first, second, again), (0, 1, 0));
    assert!(store.bit("known", 0).await && store.bit("known", 1).await && !store.bit("known", 2).await);
}

#[tokio::test]
async fn a_newer_session_takes_the_terminal_from_the_older_node() {
    let store = TestPartition::start().await;
    let (older, newer) = (session("a"), session("a"));
    let mut inbox = store.listen("inbox:n1").await;
    let (ordinal, _) = store.joined(&older, "n1").await;
    store.joined(&newer, "n2").await;
    assert!(!store.bit("held:n1", ordinal).await && store.bit("held:n2", ordinal).await);
    let replaced = format!(r#"{{"replaced":{{"terminal":"a","session":"{}"}}}}"#, older.info.session);
    assert_eq!(inbox.next().await, replaced);
    let late = store.partition.leave(&older.info, &node("n1"), SessionEnd::Replaced, 0).await.unwrap();
    assert!(!late && store.bit("held:n2", ordinal).await, "a late goodbye does not evict the newer session");
    assert_eq!(
        store.told().await,
        [r#"terminal.online {"node":"n1","terminal":"a"}"#, r#"terminal.online {"node":"n2","terminal":"a"}"#]
    );
}

#[tokio::test]
async fn a_session_that_was_replaced_is_not_registered_again() {
    let store = TestPartition::start().await;
    let (older, newer) = (session("a"), session("a"));
    store.joined(&older, "n1").await;
    store.joined(&newer, "n2").await;
    let again = JoinRequest { again: true, ..older };
    assert_eq!(store.join(&again, "n1").await, PartitionJoin::Ended(SessionEnd::Replaced));
    assert!(store.partition.leave(&newer.info, &node("n2"), SessionEnd::Left, 0).await.unwrap());
    assert_eq!(store.join(&again, "n1").await, PartitionJoin::Ended(SessionEnd::Replaced), "though nobody holds it");
    // When its node has ended it, nothing is remembered.
    store.partition.leave(&again.info, &node("n1"), SessionEnd::Replaced, 0).await.unwrap();
    assert!(matches!(store.join(&again, "n1").await, PartitionJoin::In { .. }));
}

#[tokio::test]
async fn a_session_that_joins_again_changes_nothing() {
    let store = TestPartition::start().await;
    let request = session("a");
    store.joined(&request, "n1").await;
    store.joined(&JoinRequest { again: true, ..request }, "n1").await;
    assert_eq!(store.told().await.len(), 1);
}

#[tokio::test]
async fn sessions_that_replace_each_other_without_end_have_to_wait() {
    let store = TestPartition::start().await;
    store.joined(&session("a"), "n1").await;
    for _ in 0..4 {
        assert!(matches!(store.join(&session("a"), "n2").await, PartitionJoin::In { .. }));
    }
    let impatient = session("a");
    let mut waits = Vec::new();
    for _ in 0..30 {
        let PartitionJoin::Contested(wait) = store.join(&impatient, "n1").await else { panic!("not contested") };
        waits.push(wait.as_millis());
    }
    assert_eq!((waits[..3].to_vec(), waits[29]), (vec![250, 500, 1000], 15_000));
    let length: u32 = store.ask("LLEN", "fight:0", &[]).await;
    assert_eq!(length, 15, "no more than that are remembered");
    let contested = r#"terminal.contested {"address":"10.0.0.1","terminal":"a"}"#;
    assert_eq!(store.told().await.iter().filter(|told| *told == contested).count(), 1);
    assert!(matches!(store.join(&JoinRequest { patient: true, ..impatient }, "n1").await, PartitionJoin::In { .. }));
}

#[tokio::test]
async fn a_process_whose_name_another_has_registers_nothing() {
    let store = TestPartition::start().await;
    let _: u64 = store.ask("SETRANGE", "process:n1", &["0", "another"]).await;
    assert_eq!(store.join(&session("a"), "n1").await, PartitionJoin::Nameless);
    assert!(store.events().await.is_empty());
}

#[tokio::test]
async fn a_will_is_told_once_and_only_of_a_terminal_that_was_lost() {
    let store = TestPartition::start().await;
    let will = |id: &str| JoinRequest { will: Some(Payload::from_text(&format!("will of {id}"))), ..session(id) };
    let (left, lost) = (will("left"), will("lost"));
    let (ordinal, _) = store.joined(&left, "n1").await;
    store.joined(&lost, "n1").await;
    assert!(store.partition.leave(&left.info, &node("n1"), SessionEnd::Left, 7).await.unwrap());
    assert!(store.partition.leave(&lost.info, &node("n1"), SessionEnd::Lost, 7).await.unwrap());
    assert!(!store.partition.leave(&lost.info, &node("n1"), SessionEnd::Lost, 7).await.unwrap());
    assert_eq!(
        store.told().await[2..],
        [
            r#"terminal.offline {"reason":"left","terminal":"left"}"#,
            r#"terminal.offline {"reason":"lost","terminal":"lost"}"#,
            r#"terminal.event {"name":"will","payload":"will of lost","terminal":"lost"}"#,
        ]
    );
    assert!(store.bit("away", ordinal).await && !store.bit("held:n1", ordinal).await);
    let wills: u32 = store.ask("HLEN", "wills", &[]).await;
    assert_eq!(wills, 0);
}

#[tokio::test]
async fn labels_that_did_not_change_are_not_touched() {
    let store = TestPartition::start().await;
    let bj = |request| with(request, |info| info.labels = labels(&[("site", "bj"), ("kind", "a b\"")]));
    let first = bj(session("a"));
    store.joined(&first, "n1").await;
    assert!(store.partition.leave(&first.info, &node("n1"), SessionEnd::Left, 0).await.unwrap());
    store.call::<()>(redis::cmd("CONFIG").arg("RESETSTAT")).await;
    store.joined(&bj(session("a")), "n1").await;
    let calls = store.calls().await;
    assert!(
        !calls.contains_key("srem") && calls["hget"] + calls["hmget"] == 2,
        "ordinal and entry, and no labels: {calls:?}"
    );
    store.joined(&with(session("a"), |info| info.labels = labels(&[("site", "sh")])), "n1").await;
    let (bj, sh): (u32, u32) =
        (store.ask("SCARD", "label:site=bj", &[]).await, store.ask("SCARD", "label:site=sh", &[]).await);
    let keys: Vec<String> = store.ask("ZRANGE", "label_keys", &["0", "-1"]).await;
    assert_eq!((bj, sh, keys), (0, 1, vec!["site".to_owned()]));
}

/// The calls within scripts.
async fn calls_of(store: &TestPartition, step: impl AsyncFnOnce()) -> u64 {
    let () = store.call(redis::cmd("CONFIG").arg("RESETSTAT")).await;
    step().await;
    let own = ["info", "config|resetstat", "evalsha", "script|load"];
    store.calls().await.into_iter().filter(|(name, _)| !own.contains(&name.as_str())).map(|(_, calls)| calls).sum()
}

#[tokio::test]
async fn a_session_that_leaves_and_one_that_joins_again_cost_few_calls() {
    let store = TestPartition::start().await;
    let [first, second] = [session("a"), session("a")];
    store.joined(&first, "n1").await;
    let leave = async || assert!(store.partition.leave(&first.info, &node("n1"), SessionEnd::Left, 0).await.unwrap());
    let (left, joined) =
        (calls_of(&store, leave).await, calls_of(&store, async || _ = store.joined(&second, "n2").await).await);
    assert!(left <= 10 && joined <= 9, "{left} {joined}");
}

#[tokio::test]
async fn the_end_of_a_dead_nodes_session_is_told_once_whoever_tells_it() {
    let store = TestPartition::start().await;
    let (before, after) = (session("before"), session("after"));
    store.joined(&before, "n1").await;
    store.joined(&after, "n1").await;
    store.die("n1", 0).await;
    assert!(store.partition.leave(&before.info, &node("n1"), SessionEnd::Lost, 0).await.unwrap());
    assert!(!store.partition.bury(&node("n1")).await.unwrap());
    assert!(!store.partition.leave(&after.info, &node("n1"), SessionEnd::Lost, 0).await.unwrap());
    let offline: Vec<_> = store.told().await.into_iter().filter(|told| told.contains("offline")).collect();
    let expected = [("lost", "before"), ("node_lost", "after")]
        .map(|(reason, id)| format!(r#"terminal.offline {{"reason":"{reason}","terminal":"{id}"}}"#));
    assert_eq!(offline, expected);
    let held: u32 = store.ask("EXISTS", "held:n1", &[]).await;
    assert_eq!(held, 0, "nothing is made for a node that is gone");
}

#[tokio::test]
async fn a_session_without_a_will_takes_that_of_the_session_that_it_replaces() {
    let store = TestPartition::start().await;
    let old = JoinRequest { will: Some(Payload::from_text("old")), ..session("a") };
    store.joined(&old, "n1").await;
    let new = session("a");
    store.joined(&new, "n2").await;
    assert!(store.partition.leave(&new.info, &node("n2"), SessionEnd::Lost, 0).await.unwrap());
    let (wills, told): (u32, _) = (store.ask("HLEN", "wills", &[]).await, store.told().await);
    assert!(wills == 0 && !told.iter().any(|told| told.starts_with("terminal.event")), "{wills} {told:?}");
}

#[tokio::test]
async fn the_events_are_bounded_in_bytes() {
    let store = TestPartition::start().await;
    let will = Payload::from_text(&"w".repeat(8000));
    for n in 0..600 {
        let request = JoinRequest { will: Some(will.clone()), ..session("a") };
        store.joined(&request, "n1").await;
        assert!(store.partition.leave(&request.info, &node("n1"), SessionEnd::Lost, n).await.unwrap());
    }
    let counted: u64 = store.ask("GET", "used", &[]).await;
    let data: usize = store.events().await.iter().map(|event| event.data.len()).sum();
    assert!(counted == 4 << 20 && (3 << 20..(4 << 20) + (128 << 10)).contains(&data), "{counted} {data}");
    let newest = store.events().await;
    assert!(newest.last().unwrap().data.contains("wwww"));
}
