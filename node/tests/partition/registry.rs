//! The registry: one terminal, pages, counts, and how terminals fare.

use jiff::Timestamp;
use muster_node::{
    backplane::redis::partition::{registry::PartitionQuery, selection::SetExpression},
    end::SessionEnd,
    reports::HealthReport,
};
use muster_protocol::{
    TerminalId,
    api::{Protocol, Status},
    frame::{Condition, Health},
};

use crate::{
    fixtures::{labels, node, session, with},
    store::TestPartition,
};

/// The ids of all terminals of a set, read page by page.
pub async fn all_of(store: &TestPartition, set: Option<SetExpression>) -> Vec<String> {
    pages(store, PartitionQuery { set, limit: 100, ..PartitionQuery::default() }).await.concat()
}

/// The ids of each page of a query.
async fn pages(store: &TestPartition, mut query: PartitionQuery) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    loop {
        let page = store.partition.page(&query).await.unwrap();
        pages.push(page.terminals.iter().map(|view| view.id.to_string()).collect());
        match page.next {
            Some(next) => query.after = Some(next),
            None => return pages,
        }
    }
}

fn id(text: &str) -> TerminalId {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_terminal_is_shown_as_it_is() {
    let store = TestPartition::start().await;
    let request = with(session("a"), |info| {
        info.labels = labels(&[("site", "bj"), ("kind", "kiosk")]);
        info.protocol = Protocol::Plain;
    });
    store.joined(&request, "n1").await;
    store.lease("n1", true).await;
    store.partition.label(&id("a"), &labels(&[("site", "sh")])).await.unwrap();
    let view = async || store.partition.terminal(&id("a")).await.unwrap().unwrap();
    let new = view().await;
    assert_eq!((new.status, new.node, new.protocol), (Status::Online, Some(node("n1")), Protocol::Plain));
    assert_eq!(new.labels, labels(&[("site", "sh"), ("kind", "kiosk")]));
    assert_eq!((new.rtt_ms, new.last_seen, new.address.as_deref()), (None, new.connected_at, Some("10.0.0.1")));

    let at = Timestamp::from_millisecond(new.connected_at.as_millisecond() + 1000).unwrap();
    let health = Health { condition: Condition::Failing, metrics: [("load".to_owned(), 0.5)].into() };
    let report = HealthReport { seen: Some((at, 70_000)), health: Some(health.clone()) };
    store.partition.vitals(&[(id("a"), report.clone()), (id("nobody"), report)]).await.unwrap();
    let heard = view().await;
    assert_eq!((heard.condition, heard.metrics), (Condition::Failing, health.metrics));
    assert_eq!((heard.last_seen, heard.rtt_ms), (at, Some(65_535)), "two bytes have no more");

    store.partition.set_stale(&node("n1"), &[0]).await.unwrap();
    assert_eq!(view().await.status, Status::Stale);
    store.lease("n1", false).await;
    assert_eq!((view().await.status, view().await.node), (Status::Offline, None), "gone with the lease");
    assert_eq!(store.partition.terminal(&id("nobody")).await.unwrap(), None);
}

#[tokio::test]
async fn pages_come_in_order_and_end() {
    let store = TestPartition::start().await;
    let requests: Vec<_> = (0..25).map(|n| session(&format!("t{n:02}"))).chain([session("u")]).collect();
    store.join_all(&requests, "n1").await;
    let query = |limit| PartitionQuery { limit, ..PartitionQuery::default() };
    let all: Vec<_> = (0..25).map(|n| format!("t{n:02}")).chain(["u".to_owned()]).collect();
    for (limit, count) in [(7, 4), (13, 2), (26, 1), (500, 1)] {
        let pages = pages(&store, query(limit)).await;
        assert_eq!((pages.len(), pages.concat()), (count, all.clone()), "{limit}");
    }
    let of =
        |prefix: &str, after: Option<&str>| PartitionQuery { prefix: prefix.into(), after: after.map(id), ..query(3) };
    assert_eq!(pages(&store, of("t2", None)).await, [vec!["t20", "t21", "t22"], vec!["t23", "t24"]]);
    assert_eq!(pages(&store, of("t2", Some("t22"))).await, [["t23", "t24"]]);
    assert_eq!(pages(&store, of("t2", Some("t1"))).await.concat().len(), 5);
    assert_eq!(pages(&store, of("v", None)).await, [Vec::<String>::new()]);
    let both = PartitionQuery { set: Some(SetExpression::All), ..of("t2", Some("t22")) };
    assert_eq!(pages(&store, both).await, [["t23", "t24"]]);
}

#[tokio::test]
async fn a_page_of_many_looks_at_a_bounded_number_and_goes_on() {
    let store = TestPartition::start().await;
    let odd = |n: u32| {
        with(session(&format!("t{n:04}")), |info| {
            info.labels = labels(&[("parity", if n.is_multiple_of(2) { "even" } else { "odd" })]);
        })
    };
    store.join_all(&(0..1500).map(odd).collect::<Vec<_>>(), "n1").await;
    let query = |limit, key: &str| PartitionQuery {
        set: Some(SetExpression::Label("parity".into(), key.into())),
        limit,
        ..PartitionQuery::default()
    };
    let found = pages(&store, query(500, "odd")).await;
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [256, 256, 238]);
    assert_eq!(found.concat(), (0..750).map(|n| format!("t{:04}", 2 * n + 1)).collect::<Vec<_>>());
    assert_eq!(pages(&store, query(100, "even")).await.concat().len(), 750);
    assert_eq!(all_of(&store, None).await.len(), 1500);
}

#[tokio::test]
async fn a_page_ends_early_when_it_has_many_bytes() {
    let store = TestPartition::start().await;
    let requests: Vec<_> = (0..300).map(|n| session(&format!("t{n:03}"))).collect();
    store.join_all(&requests, "n1").await;
    let metrics = (0..300).map(|n| (format!("a metric with a long name {n:04}"), 0.123_456_789)).collect();
    let report = HealthReport { seen: None, health: Some(Health { condition: Condition::Ok, metrics }) };
    let all: Vec<_> = requests.iter().map(|request| (request.info.terminal.clone(), report.clone())).collect();
    store.partition.vitals(&all).await.unwrap();
    let found = pages(&store, PartitionQuery { limit: 300, ..PartitionQuery::default() }).await;
    assert!(found.len() > 2 && found.concat().len() == 300, "{:?}", found.iter().map(Vec::len).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_fleet_is_counted() {
    let store = TestPartition::start().await;
    for (id, on) in [("a", "n1"), ("b", "n1"), ("c", "n2"), ("d", "dead")] {
        store.joined(&with(session(id), |info| info.labels = labels(&[("site", "bj")])), on).await;
    }
    for node in ["n1", "n2"] {
        store.lease(node, true).await;
    }
    let gone = session("gone");
    store.joined(&gone, "n1").await;
    store.partition.leave(&gone.info, &node("n1"), SessionEnd::Left, 0).await.unwrap();
    store.partition.set_stale(&node("n2"), &[2]).await.unwrap();
    let health = Health { condition: Condition::Degraded, metrics: Default::default() };
    store.partition.vitals(&[(id("a"), HealthReport { seen: None, health: Some(health) })]).await.unwrap();
    let fleet = store.partition.fleet().await.unwrap();
    assert_eq!((fleet.online, fleet.stale, fleet.offline), (2, 1, 2));
    assert_eq!(fleet.by_node, [("n1".to_owned(), 2), ("n2".to_owned(), 1)].into());
    assert_eq!(fleet.by_label, [("site=bj".to_owned(), 4)].into());
    let conditions = [("ok", 4), ("degraded", 1), ("failing", 0)].map(|(name, count)| (name.to_owned(), count));
    assert_eq!(fleet.by_condition, conditions.into());
}
