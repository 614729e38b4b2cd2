//! Leases: who holds a node's name, and what becomes of the sessions of a node whose lease ended.

use muster_node::backplane::{
    Cursor,
    redis::partition::{
        due::DueUpkeep,
        lease::{LeaseRenewal, RenewedLease},
        sessions::HolderNode,
        store_info::{StoreInfo, UnfitStore},
    },
};
use muster_protocol::{NodeId, partition::Partitions};

use crate::{
    fixtures::{ids, node, session},
    store::TestPartition,
};

const RENEWAL: LeaseRenewal<'_> = LeaseRenewal { lease: "sealed", reached: 5, seen: None, held: None };

fn holder<'a>(node: &'a NodeId, process: &'a str) -> HolderNode<'a> {
    HolderNode { node, process }
}

async fn beat(store: &TestPartition, node: &NodeId, process: &str) -> RenewedLease {
    store.partition.beat(holder(node, process), RENEWAL).await.unwrap()
}

fn name_of(renewed: RenewedLease) -> String {
    let RenewedLease::Held { name, .. } = renewed else { panic!("not held: {renewed:?}") };
    name
}

#[tokio::test]
async fn a_lease_keeps_its_name_until_it_was_lost() {
    let (store, n1) = (TestPartition::start().await, node("n1"));
    let first = name_of(beat(&store, &n1, "p1").await);
    assert_eq!(name_of(beat(&store, &n1, "p1").await), first);
    assert_eq!(store.partition.leases().await.unwrap(), [("n1".to_owned(), "sealed".to_owned())]);
    assert!(store.partition.resign(holder(&n1, "p1"), "node_stopped").await.unwrap());
    assert!(store.partition.leases().await.unwrap().is_empty());
    assert_ne!(name_of(beat(&store, &n1, "p1").await), first);
}

#[tokio::test]
async fn a_lease_that_lives_is_neither_taken_nor_given_back_by_another_process() {
    let (store, n1) = (TestPartition::start().await, node("n1"));
    let first = name_of(beat(&store, &n1, "p1").await);
    let other = RenewedLease::Other { process: "p1".into(), lease: "sealed".into() };
    assert_eq!(beat(&store, &n1, "p2").await, other);
    assert!(!store.partition.resign(holder(&n1, "p2"), "node_stopped").await.unwrap());
    assert_eq!(name_of(beat(&store, &n1, "p1").await), first);
    store.ask::<()>("DEL", "lease:n1", &[]).await;
    assert_ne!(name_of(beat(&store, &n1, "p2").await), first, "it was free");
}

#[tokio::test]
async fn the_sessions_of_a_node_end_with_its_lease_and_are_told_from_by_their_node() {
    let (store, n1, n2) = (TestPartition::start().await, node("n1"), node("n2"));
    beat(&store, &n1, "p1").await;
    store.partition.join(&session("t1"), holder(&n1, "p1")).await.unwrap();
    assert!(store.bit("held:n1", 0).await);
    // As if its time had come, which takes 6 s.
    store.ask::<()>("DEL", "lease:n1", &[]).await;
    store.ask::<()>("ZADD", "nodes", &["1", "n1"]).await;
    let RenewedLease::Held { dead, .. } = beat(&store, &n2, "p2").await else { panic!("not held") };
    assert_eq!(dead, [n1]);
    assert!(!store.bit("held:n1", 0).await && store.bit("dead:n1", 0).await);
    assert_eq!(store.ask::<String>("HGET", "dead_nodes", &["n1"]).await, "node_lost 5");
    assert_eq!(store.ask::<Vec<String>>("ZRANGE", "nodes", &["0", "-1"]).await, ["n2"]);
}

#[tokio::test]
async fn a_restarted_node_does_not_take_over_the_sessions_of_its_earlier_process() {
    let (store, n1) = (TestPartition::start().await, node("n1"));
    beat(&store, &n1, "p1").await;
    store.partition.join(&session("t1"), holder(&n1, "p1")).await.unwrap();
    store.ask::<()>("DEL", "lease:n1", &[]).await;
    let RenewedLease::Held { dead, .. } = beat(&store, &n1, "p2").await else { panic!("not held") };
    assert_eq!(dead, [node("n1")]);
    store.partition.join(&session("t2"), holder(&n1, "p2")).await.unwrap();
    store.ask::<()>("DEL", "lease:n1", &[]).await;
    let later = LeaseRenewal { reached: 9, ..RENEWAL };
    store.partition.beat(holder(&n1, "p3"), later).await.unwrap();
    assert!(store.bit("dead:n1", 0).await && store.bit("dead:n1", 1).await, "both are still to be told");
    assert_eq!(store.ask::<String>("HGET", "dead_nodes", &["n1"]).await, "node_lost 5", "the lower number");
}

#[tokio::test]
async fn a_store_that_lacks_what_a_node_has_seen_gets_another_name() {
    let (store, n1) = (TestPartition::start().await, node("n1"));
    beat(&store, &n1, "p1").await;
    let epoch: String = store.ask("GET", "epoch", &[]).await;
    let number: u64 = store.ask("GET", "seq", &[]).await;
    let seen = |number| Cursor { epoch: epoch.clone(), number };
    let renew = async |seen: Cursor| {
        let renewal = LeaseRenewal { seen: Some(&seen), ..RENEWAL };
        store.partition.beat(holder(&n1, "p1"), renewal).await.unwrap();
        store.ask::<String>("GET", "epoch", &[]).await
    };
    assert_eq!(renew(seen(number)).await, epoch);
    assert_ne!(renew(seen(number + 1_000_000)).await, epoch);
    assert!(store.ask::<u64>("GET", "seq", &[]).await >= number + 1_000_000, "its numbers are greater");
}

#[tokio::test]
async fn a_store_holds_its_number_of_partitions_and_says_what_does_not_fit() {
    let (store, [one, two]) = (TestPartition::start().await, [1, 2].map(|count| Partitions::new(count).unwrap()));
    let made = store.partition.open(two, "s1").await.unwrap();
    assert_eq!(made, StoreInfo { schema: 1, partitions: 2, id: "s1".into() });
    assert_eq!(store.partition.open(one, "s2").await.unwrap(), made, "it is made once");
    assert_eq!(made.check(two), Ok(()));
    assert_eq!(made.check(one), Err(UnfitStore::Partitions { found: 2, asked: 1 }));
    assert!(made.check(one).unwrap_err().to_string().contains("start the node with --partitions 2"));
    assert_eq!(StoreInfo { schema: 9, ..made }.check(two), Err(UnfitStore::Schema(9)));
}

#[tokio::test]
async fn the_schema_is_raised_from_what_was_looked_at_and_from_nothing_else() {
    let (store, one) = (TestPartition::start().await, Partitions::new(1).unwrap());
    assert_eq!(store.partition.info().await.unwrap(), None, "to look makes no store");
    let made = store.partition.open(one, "s1").await.unwrap();
    assert_eq!(store.partition.info().await.unwrap().as_ref(), Some(&made));
    let other = StoreInfo { id: "s2".into(), ..made.clone() };
    assert!(!store.partition.raise_schema(&other, 2).await.unwrap());
    assert!(store.partition.raise_schema(&made, 2).await.unwrap());
    assert!(!store.partition.raise_schema(&made, 3).await.unwrap(), "it has another schema by now");
    assert_eq!(store.partition.open(one, "s3").await.unwrap(), StoreInfo { schema: 2, ..made });
}

#[tokio::test]
async fn what_a_dead_process_had_not_passed_on_is_missed_though_the_next_one_has_come_further() {
    let (store, n1) = (TestPartition::start().await, node("n1"));
    let renew = async |process: &str, reached| {
        store.partition.beat(holder(&n1, process), LeaseRenewal { reached, ..RENEWAL }).await.unwrap();
    };
    renew("pn1", 0).await;
    let (ordinal, point) = store.joined(&session("t1"), "n1").await;
    renew("pn1", point.cursor.number).await;
    let (missed, number) = store.many(1, &[ordinal]).await;
    // As many commands again as are looked at before the number, since their acknowledgements may have been lost.
    let mut last = number;
    for _ in 0..300 {
        last = store.many(1, &[9]).await.1;
    }
    store.ask::<()>("DEL", "lease:n1", &[]).await;
    renew("pn2", last).await;
    assert_eq!(ids(&store.joined(&session("t1"), "n2").await.1.missed), [missed]);
}

#[tokio::test]
async fn a_beat_costs_a_fixed_number_of_calls() {
    let (store, n1) = (TestPartition::start().await, node("n1"));
    beat(&store, &n1, "p1").await;
    for terminal in 0..50 {
        store.partition.join(&session(&format!("t{terminal}")), holder(&n1, "p1")).await.unwrap();
    }
    let total = async || store.calls().await.values().sum::<u64>();
    let before = total().await;
    beat(&store, &n1, "p1").await;
    let calls = total().await - before;
    assert!(calls <= 18, "{calls}");
}

#[tokio::test]
async fn a_renewal_tells_what_there_is_to_do_and_nothing_else() {
    let store = TestPartition::start().await;
    let n1 = node("n1");
    let due = async |held: Option<&[u32]>| {
        let renewal = LeaseRenewal { held, ..RENEWAL };
        match store.partition.beat(holder(&n1, "p1"), renewal).await.unwrap() {
            RenewedLease::Held { due, .. } => due,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(due(Some(&[])).await, DueUpkeep::default());
    let _: bool = store.ask("SETBIT", "held:n1", &["3", "1"]).await;
    assert_eq!(due(Some(&[3])).await, DueUpkeep::default());
    assert_eq!(due(None).await, DueUpkeep::default());
    assert_eq!(due(Some(&[4])).await, DueUpkeep { mend: true, ..Default::default() });
    let later = (jiff::Timestamp::now().as_millisecond() + 60_000).to_string();
    for (key, expected) in [
        ("ending", DueUpkeep { sweep: true, ..Default::default() }),
        ("stored", DueUpkeep { sweep: true, ..Default::default() }),
        ("keys", DueUpkeep { sweep: true, ..Default::default() }),
        ("accepting", DueUpkeep { finish: true, ..Default::default() }),
    ] {
        let _: i64 = store.ask("ZADD", key, &[&later, "x"]).await;
        assert_eq!(due(None).await, DueUpkeep::default(), "{key} is not due yet");
        let _: i64 = store.ask("ZADD", key, &["1", "x"]).await;
        assert_eq!(due(None).await, expected, "{key}");
        let _: i64 = store.ask("DEL", key, &[]).await;
    }
    for (key, expected) in [
        ("unconfirmed", DueUpkeep { confirm: true, ..Default::default() }),
        ("away", DueUpkeep { forget: true, ..Default::default() }),
    ] {
        let _: bool = store.ask("SETBIT", key, &["9", "1"]).await;
        assert_eq!(due(None).await, expected, "{key}");
        let _: i64 = store.ask("DEL", key, &[]).await;
    }
}
