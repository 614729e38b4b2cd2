//! What a node holds, compared with the registry; and the sessions of nodes that are dead.

use muster_node::backplane::{JoinRequest, redis::partition::held::HeldDifference};
use muster_protocol::Payload;

use crate::{
    fixtures::{ids, node, session},
    store::TestPartition,
};

impl TestPartition {
    /// Declares a node dead that had come to this number.
    pub async fn die(&self, node: &str, reached: u64) {
        let (held, dead) = (self.keys.key(&format!("held:{node}")), self.keys.key(&format!("dead:{node}")));
        let () = self.call(redis::cmd("RENAME").arg(held).arg(dead)).await;
        let _: u32 = self.ask("HSET", "dead_nodes", &[node, &format!("node_lost {reached}")]).await;
    }

    /// Tells of the sessions of a dead node. Returns the number of calls.
    async fn bury(&self, id: &str) -> usize {
        let mut calls = 1;
        while self.partition.bury(&node(id)).await.unwrap() {
            calls += 1;
        }
        calls
    }
}

#[tokio::test]
async fn a_difference_between_node_and_registry_is_found_both_ways() {
    let store = TestPartition::start().await;
    let compare = async |held: &[u32]| store.partition.compare(&node("n1"), held).await.unwrap();
    assert_eq!(compare(&[]).await, None);
    let ghost = session("b");
    for request in [session("a"), ghost.clone(), session("c")] {
        store.joined(&request, "n1").await;
    }
    assert_eq!(compare(&[0, 1, 2]).await, None);
    assert_eq!(compare(&[2, 0, 1]).await, None);
    let extra = (ghost.info.terminal.clone(), ghost.info.session);
    let difference = HeldDifference { lacking: vec![700], extra: vec![extra.clone()] };
    assert_eq!(compare(&[0, 2, 700]).await, Some(difference));
    assert!(store.partition.evict(&extra, &node("n1"), 7).await.unwrap());
    assert!(!store.partition.evict(&extra, &node("n1"), 7).await.unwrap());
    assert_eq!(compare(&[0, 2]).await, None, "zero bytes at the end of the registry's bitmap make no difference");
    assert_eq!(store.told().await.last().unwrap(), r#"terminal.offline {"reason":"lost","terminal":"b"}"#);
    let left: Vec<String> = store.call(redis::cmd("KEYS").arg("*tmp:*")).await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn no_more_extra_sessions_are_told_at_once_than_a_call_looks_at() {
    let store = TestPartition::start().await;
    let requests: Vec<_> = (0..1100).map(|n| session(&format!("t{n}"))).collect();
    store.join_all(&requests, "n1").await;
    let difference = store.partition.compare(&node("n1"), &[]).await.unwrap().unwrap();
    assert_eq!((difference.extra.len(), difference.lacking.len()), (512, 0));
}

#[tokio::test]
async fn the_sessions_of_a_dead_node_are_told_in_portions_and_once() {
    let store = TestPartition::start().await;
    let requests: Vec<_> = (0..1500).map(|n| session(&format!("t{n:04}"))).collect();
    store.join_all(&requests, "n1").await;
    store.joined(&session("t0007"), "n2").await;
    store.die("n1", 77).await;
    assert_eq!(store.bury("n1").await, 12, "128 a call");
    let told: Vec<_> = store.told().await.into_iter().filter(|told| told.starts_with("terminal.offline")).collect();
    assert_eq!(told.len(), 1499);
    assert!(told.iter().all(|told| told.contains(r#""reason":"node_lost""#) && !told.contains("t0007")));
    let entries: u64 = store.ask("XLEN", "events", &[]).await;
    assert_eq!(entries, 1501 + 12, "one entry a portion");
    let (moved, _) = store.joined(&session("t0007"), "n2").await;
    for ordinal in 0..1500 {
        assert_eq!(store.bit("away", ordinal).await, ordinal != moved, "{ordinal}");
    }
    let stored = async |key: &str, width: u32, ordinal: u32| {
        let (from, to) = (ordinal * width, ordinal * width + width - 1);
        store.ask::<Vec<u8>>("GETRANGE", key, &[&from.to_string(), &to.to_string()]).await
    };
    let other = if moved == 3 { 4 } else { 3 };
    let (number, at) =
        (stored("left", 12, other).await[..8].to_owned(), stored("left", 12, other).await[8..].to_owned());
    assert!(number == 77u64.to_be_bytes() && at != [0; 4], "{number:?} {at:?}");
    assert_ne!(stored("left", 12, moved).await[..8], 77u64.to_be_bytes());
    assert_eq!(store.bury("n1").await, 1, "nothing is left");
    let keys: u32 =
        store.call(redis::cmd("EXISTS").arg(store.keys.key("dead:n1")).arg(store.keys.key("dead_nodes"))).await;
    assert_eq!(keys, 0);
}

#[tokio::test]
async fn a_terminal_that_moves_before_its_nodes_death_is_told_is_never_offline() {
    let store = TestPartition::start().await;
    for id in ["a", "b", "c"] {
        store.joined(&session(id), "n1").await;
    }
    store.die("n1", 0).await;
    store.joined(&session("a"), "n2").await;
    // A new process has the node's name.
    store.joined(&session("b"), "n1").await;
    store.bury("n1").await;
    let offline: Vec<_> = store.told().await.into_iter().filter(|told| told.contains("offline")).collect();
    assert_eq!(offline, [r#"terminal.offline {"reason":"node_lost","terminal":"c"}"#]);
    assert!(store.bit("held:n2", 0).await && store.bit("held:n1", 1).await && !store.bit("away", 1).await);
}

#[tokio::test]
async fn the_wills_of_a_dead_nodes_sessions_are_published_some_at_a_time() {
    let store = TestPartition::start().await;
    let will = |n| JoinRequest { will: Some(Payload::from_text(&"w".repeat(8000))), ..session(&format!("t{n}")) };
    store.join_all(&(0..100).map(will).collect::<Vec<_>>(), "n1").await;
    store.die("n1", 0).await;
    assert_eq!(store.bury("n1").await, 4, "256 KiB a call");
    let told = store.told().await;
    let count = |kind: &str| told.iter().filter(|told| told.starts_with(kind)).count();
    assert_eq!((count("terminal.offline"), count("terminal.event")), (100, 100));
    let wills: u32 = store.ask("HLEN", "wills", &[]).await;
    assert_eq!(wills, 0);
}

#[tokio::test]
async fn a_session_goes_on_where_its_dead_node_had_come() {
    let store = TestPartition::start().await;
    let (ordinal, _) = store.joined(&session("a"), "n1").await;
    let (old, number) = store.many(1000, &[ordinal]).await;
    for _ in 0..300 {
        let (id, _) = store.many(1, &[ordinal]).await;
        store.mark(id, "acked", ordinal).await;
    }
    let (new, _) = store.many(1, &[ordinal]).await;
    store.die("n1", number + 300).await;
    store.bury("n1").await;
    let missed = ids(&store.joined(&session("a"), "n2").await.1.missed);
    assert!(missed.contains(&new) && !missed.contains(&old), "what lies too far before is not looked at");
}
