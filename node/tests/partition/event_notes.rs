//! Nodes that wait for the next event are told of it, and no other event looks for them.

use jiff::Timestamp;
use muster_node::reports::ReportedEvent;
use muster_protocol::Payload;

use crate::store::TestPartition;

/// What `events_in` has on top while a node waits.
const AWAITED: u64 = 1 << 52;

impl TestPartition {
    async fn event(&self) {
        let fields = vec![("name", Payload::from_text("open"))];
        let event = ReportedEvent {
            kind: "terminal.event",
            terminal: "t1".parse().unwrap(),
            fields,
            at: Timestamp::now(),
            receipt: None,
        };
        self.partition.write_events(&[event]).await.unwrap();
    }

    async fn note(&self, node: &str) {
        self.partition.note_for_events(&node.parse().unwrap()).await.unwrap();
    }

    async fn waiting(&self) -> (u64, bool) {
        let bytes: u64 = self.ask("GET", "events_in", &[]).await;
        (self.ask("SCARD", "event_waiters", &[]).await, bytes >= AWAITED)
    }
}

#[tokio::test]
async fn the_next_event_is_told_to_each_node_that_waits_and_once() {
    let store = TestPartition::start().await;
    let (mut first, mut second) = (store.listen("inbox:n1").await, store.listen("inbox:n2").await);
    store.event().await;
    for node in ["n1", "n2", "n1"] {
        store.note(node).await;
    }
    assert_eq!(store.waiting().await, (2, true));
    store.event().await;
    assert_eq!(store.waiting().await, (0, false));
    assert_eq!([first.next().await, second.next().await], [r#""happened""#, r#""happened""#]);
    // Nobody waits, so the node is told of this one only after its next note.
    store.event().await;
    let _: u64 =
        store.call(redis::cmd("SPUBLISH").arg(store.keys.channel("inbox:n1")).arg("nothing before this")).await;
    assert_eq!(first.next().await, "nothing before this");
    store.note("n1").await;
    store.event().await;
    assert_eq!(first.next().await, r#""happened""#);
    assert_eq!(store.events().await.len(), 4);
}

#[tokio::test]
async fn an_event_that_nobody_waits_for_costs_no_call_more() {
    let store = TestPartition::start().await;
    let calls = async || {
        let _: String = store.call(redis::cmd("CONFIG").arg("RESETSTAT")).await;
        store.event().await;
        let mut calls: Vec<_> = store.calls().await.into_iter().collect();
        calls.retain(|(name, _)| !name.starts_with("config") && name != "info");
        calls.sort();
        calls
    };
    store.event().await;
    let one = |name: &str| (name.to_owned(), 1);
    assert_eq!(calls().await, [one("evalsha"), one("incrby"), one("xadd")]);
    store.note("n1").await;
    let told = ["decrby", "del", "evalsha", "incrby", "smembers", "spublish", "xadd"].map(one);
    assert_eq!(calls().await, told);
}

#[tokio::test]
async fn the_bytes_of_events_are_bounded_while_nodes_wait() {
    let store = TestPartition::start().await;
    for _ in 0..40 {
        store.note("n1").await;
        store.event().await;
    }
    let added: u64 = store.ask("GET", "events_in", &[]).await;
    assert!((40 * 64..40 * 256).contains(&added), "{added}");
    assert_eq!(store.ask::<Option<u64>>("GET", "used", &[]).await, None, "less than a chunk");
    // As many nodes as there may be; the next one has all of them told, so the set does not grow.
    for node in 0..514 {
        store.note(&format!("gone{node}")).await;
    }
    assert_eq!(store.waiting().await, (2, true));
}
