//! Terminals that are labelled, disconnected and forgotten.

use std::time::Duration;

use muster_node::{
    backplane::{
        JoinRequest,
        redis::partition::sessions::{OrdinalLookup, PartitionJoin},
    },
    end::SessionEnd,
};
use muster_protocol::{TerminalId, selector::Labels};

use crate::{
    fixtures::{labels, node, session, with},
    store::TestPartition,
};

fn id(text: &str) -> TerminalId {
    text.parse().unwrap()
}

#[tokio::test]
async fn labels_of_operators_overrule_those_of_the_terminal_and_stay() {
    let store = TestPartition::start().await;
    let far = || with(session("far"), |info| info.labels = labels(&[("site", "bj"), ("kind", "kiosk")]));
    store.joined(&far(), "n1").await;
    let counts = async || {
        let mut counts = Vec::new();
        for set in ["site=bj", "site=sh", "kind=kiosk"] {
            counts.push(store.ask::<u32>("SCARD", &format!("label:{set}"), &[]).await);
        }
        counts
    };
    assert!(store.partition.label(&id("far"), &labels(&[("site", "sh")])).await.unwrap());
    assert_eq!(counts().await, [0, 1, 1]);
    store.joined(&with(far(), |info| _ = info.labels.remove("kind")), "n1").await;
    assert_eq!(counts().await, [0, 1, 0]);
    assert!(store.partition.label(&id("far"), &Labels::new()).await.unwrap());
    assert_eq!(counts().await, [1, 0, 0]);
    assert!(!store.partition.label(&id("nobody"), &Labels::new()).await.unwrap());
}

#[tokio::test]
async fn a_label_of_many_is_a_bitmap_and_the_last_that_goes_takes_it_along() {
    let store = TestPartition::start().await;
    let one = |n| with(session(&format!("t{n}")), |info| info.labels = labels(&[("site", "bj")]));
    store.join_all(&(0..300).map(one).collect::<Vec<_>>(), "n1").await;
    let (kind, count): (String, u32) =
        (store.ask("TYPE", "label:site=bj", &[]).await, store.ask("BITCOUNT", "label:site=bj", &[]).await);
    assert_eq!((kind.as_str(), count), ("string", 300));
    for n in 0..300 {
        assert!(store.partition.forget(&id(&format!("t{n}"))).await.unwrap());
    }
    for key in ["label:site=bj", "values:site", "has:site", "label_keys"] {
        assert!(!store.ask::<bool>("EXISTS", key, &[]).await, "{key}");
    }
}

#[tokio::test]
async fn a_keys_values_are_bounded() {
    let store = TestPartition::start().await;
    let one = |site: String| with(session(&site), |info| info.labels = labels(&[("site", &site)]));
    store.join_all(&(0..1000).map(|n| one(format!("s{n:04}"))).collect::<Vec<_>>(), "n1").await;
    store.joined(&one("s1000".into()), "n1").await;
    let (values, has): (u32, u32) =
        (store.ask("ZCARD", "values:site", &[]).await, store.ask("BITCOUNT", "has:site", &[]).await);
    let over: Vec<String> = store.ask("SMEMBERS", "over", &[]).await;
    assert_eq!((values, has, over), (1000, 1001, vec!["site".to_owned()]));
    assert!(store.partition.forget(&id("s1000")).await.unwrap(), "the one that is in no set of a value");
    assert!(store.partition.forget(&id("s0000")).await.unwrap());
    let values: u32 = store.ask("ZCARD", "values:site", &[]).await;
    assert_eq!(values, 999);
}

#[tokio::test]
async fn an_operator_ends_a_session_that_is_there() {
    let store = TestPartition::start().await;
    let request = session("a");
    let mut inbox = store.listen("inbox:n1").await;
    let (ordinal, _) = store.joined(&request, "n1").await;
    assert!(store.partition.disconnect(&id("a")).await.unwrap());
    assert_eq!(inbox.next().await, r#"{"disconnect":{"terminal":"a"}}"#);
    assert!(store.bit("held:n1", ordinal).await, "it is registered until it has ended");
    let again = JoinRequest { again: true, ..request };
    assert_eq!(store.join(&again, "n1").await, PartitionJoin::Ended(SessionEnd::Disconnected));
    store.partition.leave(&again.info, &node("n1"), SessionEnd::Disconnected, 0).await.unwrap();
    assert!(!store.partition.disconnect(&id("a")).await.unwrap());
    assert!(!store.partition.disconnect(&id("nobody")).await.unwrap());
}

#[tokio::test]
async fn a_terminal_that_was_forgotten_is_new_and_gets_nothing_of_before() {
    let store = TestPartition::start().await;
    let request = session("a");
    let mut inbox = store.listen("inbox:n1").await;
    let (ordinal, _) = store.joined(&request, "n1").await;
    let (_, number) = store.many(1, &[ordinal]).await;
    store.few(1, ordinal).await;
    assert!(store.partition.forget(&id("a")).await.unwrap());
    assert_eq!(inbox.next().await, r#"{"remove":{"terminal":"a"}}"#);
    assert_eq!(store.told().await[1..], [r#"terminal.offline {"labels":{},"reason":"removed","terminal":"a"}"#]);
    assert!(!store.partition.forget(&id("a")).await.unwrap());
    let again = JoinRequest { again: true, ..request };
    assert_eq!(store.join(&again, "n1").await, PartitionJoin::Ended(SessionEnd::Removed));
    assert!(store.missed_behind("a", number - 1).await.is_empty());
    let name: String = store.ask("HGET", "terminals", &[&ordinal.to_string()]).await;
    assert_eq!(name, "\n{\"terminal\":\"a\"}", "commands have its ordinal among their targets");
    let known: Vec<bool> = vec![store.bit("known", ordinal).await, store.bit("known", ordinal + 1).await];
    assert_eq!(known, [false, true]);
}

#[tokio::test]
async fn an_ordinal_is_given_again_when_it_has_rested_and_no_command_of_before_is_left() {
    let store = TestPartition::start().await;
    let rest_is_over = async || {
        let rested =
            [store.ask::<String>("LPOP", "freed", &[]).await.split(' ').next().unwrap().to_owned(), "1".into()];
        let _: u32 = store.ask("LPUSH", "freed", &[&rested.join(" ")]).await;
    };
    let ordinal = async |id: &str| store.joined(&session(id), "n1").await.0;
    let forgotten = ordinal("a").await;
    let _: u32 = store.ask("ZADD", "stored", &["9999999999999", "later"]).await;
    assert!(store.partition.forget(&id("a")).await.unwrap());
    let freed: String = store.ask("LINDEX", "freed", &["0"]).await;
    assert_eq!(freed, format!("{forgotten} 9999999999999"), "as long as what is stored");
    assert_eq!(ordinal("b").await, forgotten + 1);
    rest_is_over().await;
    let _: u32 = store.ask("ZADD", "stored", &["1", "not forgotten yet"]).await;
    assert_eq!(ordinal("c").await, forgotten + 2);
    let _: u32 = store.ask("ZREM", "stored", &["not forgotten yet"]).await;
    assert_eq!(ordinal("d").await, forgotten);
    assert!(store.partition.forget(&id("b")).await.unwrap());
    let _: u32 = store.ask("DEL", "stored", &[]).await;
    assert_eq!(ordinal("e").await, forgotten + 3, "it rests, though nothing is stored");
}

#[tokio::test]
async fn a_partition_with_too_many_free_ordinals_takes_no_new_terminal() {
    let store = TestPartition::start().await;
    store.joined(&session("a"), "n1").await;
    let mut pipe = redis::pipe();
    for n in 0..1001 {
        pipe.rpush(store.keys.key("freed"), format!("{} 9999999999999", 100 + n)).ignore();
    }
    store.run(&pipe).await;
    assert_eq!(store.join(&session("b"), "n1").await, PartitionJoin::NoOrdinal);
    assert_eq!(store.join(&session("b"), "n1").await, PartitionJoin::NoOrdinal);
    assert!(matches!(store.join(&session("a"), "n1").await, PartitionJoin::In { .. }), "one that is known");
    let look_up = async |terminal| store.partition.look_up_ordinal(&id(terminal)).await.unwrap();
    assert_eq!([look_up("a").await, look_up("b").await], [OrdinalLookup::Known, OrdinalLookup::Refused]);
    let said = store.told().await;
    assert_eq!(said.iter().filter(|told| told.starts_with("store.ordinals")).count(), 1, "{said:?}");
    let _: u32 = store.ask("DEL", "freed", &[]).await;
    assert_eq!(look_up("b").await, OrdinalLookup::Free);
}

#[tokio::test]
async fn terminals_that_were_away_for_too_long_are_forgotten_some_at_a_time() {
    let store = TestPartition::start().await;
    let requests: Vec<_> = (0..600).map(|n| session(&format!("t{n}"))).collect();
    store.joined(&requests[0], "n1").await;
    store.join_all(&requests[1..], "n1").await;
    for info in requests[..598].iter().map(|request| &request.info) {
        store.partition.leave(info, &node("n1"), SessionEnd::Left, 0).await.unwrap();
    }
    let hour = Duration::from_secs(3600);
    assert_eq!(store.partition.forget_away(hour).await.unwrap(), 0);
    // Those with the ordinals up to 596 left long ago.
    let _: u32 = store.ask("SETRANGE", "left", &["0", &"\u{1}".repeat(597 * 12)]).await;
    let _: u32 = store.ask("DEL", "away_at", &[]).await;
    let mut forgotten = Vec::new();
    for _ in 0..12 {
        forgotten.push(store.partition.forget_away(hour).await.unwrap());
    }
    let (known, sum): (u32, u32) = (store.ask("ZCARD", "names", &[]).await, forgotten.iter().sum());
    assert!(forgotten[0] == 64 && forgotten.iter().all(|count| *count <= 64), "{forgotten:?}");
    assert!(known + sum == 600 && (595..=597).contains(&sum), "two are online, and one of them may have a low ordinal");
}

#[tokio::test]
async fn a_terminal_that_came_back_is_not_forgotten_and_is_looked_at_once() {
    let store = TestPartition::start().await;
    let first = session("a");
    let (ordinal, _) = store.joined(&first, "n1").await;
    store.partition.leave(&first.info, &node("n1"), SessionEnd::Left, 0).await.unwrap();
    store.joined(&session("a"), "n1").await;
    // It left long ago.
    let _: u32 = store.ask("SETRANGE", "left", &["0", &"\u{1}".repeat(12)]).await;
    let mut looks = Vec::new();
    for _ in 0..2 {
        let _: u32 = store.ask("DEL", "away_at", &[]).await;
        looks.push(store.partition.forget_away(Duration::from_secs(3600)).await.unwrap());
    }
    let known: u32 = store.ask("ZCARD", "names", &[]).await;
    assert_eq!((looks, known, store.bit("away", ordinal).await), (vec![1, 0], 1, false));
}
