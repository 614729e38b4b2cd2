//! The counters of minutes, and the last changes of a terminal.

use std::{collections::BTreeMap, sync::Arc};

use muster_node::{
    backplane::{
        MINUTES_MAX,
        redis::partition::{PartitionScripts, StorePartition},
    },
    end::SessionEnd,
    reports::HealthReport,
};
use muster_protocol::{
    TerminalId,
    api::{FleetMinute, TargetState},
    frame::{Condition, Health},
};
use muster_redis::{Connection, Topology};

use crate::{
    commands::{ask, bounds, draft},
    fixtures::{labels, node, session, with},
    states::{of_epoch, raised},
    store::TestPartition,
};

/// The bytes of a minute in the ring.
const MINUTE_BYTES: u32 = 64;

impl TestPartition {
    /// The minute that it is by Redis' clock.
    async fn minute(&self) -> u32 {
        u32::try_from(self.partition.clock().await.unwrap().as_second() / 60).unwrap()
    }

    /// All minutes of the last day.
    async fn day(&self) -> Vec<FleetMinute> {
        let found = self.partition.minutes(self.minute().await + 1, MINUTES_MAX).await.unwrap();
        found.into_iter().map(|(minute, counters)| counters.view(minute, 0)).collect()
    }

    /// Gives the minutes that are written other numbers, as if they had been written so long ago.
    async fn make_older(&self, by: u32) {
        for (minute, _) in self.partition.minutes(self.minute().await + 1, MINUTES_MAX).await.unwrap() {
            let place = |minute: u32| (minute % MINUTES_MAX * MINUTE_BYTES) as usize;
            let from = place(minute);
            let all: Vec<u8> = self.ask("GETRANGE", "minutes", &[&from.to_string(), &(from + 63).to_string()]).await;
            self.put(from, &[0; MINUTE_BYTES as usize]).await;
            self.put(place(minute - by), &[&(minute - by).to_be_bytes()[..], &all[4..]].concat()).await;
        }
    }

    async fn put(&self, at: usize, bytes: &[u8]) {
        let mut put = redis::cmd("SETRANGE");
        let _: u64 = self.call(put.arg(self.keys.key("minutes")).arg(at).arg(bytes)).await;
    }

    /// Reports the condition of a terminal.
    async fn condition(&self, terminal: &str, condition: Condition) {
        let report = HealthReport { seen: None, health: Some(Health { condition, metrics: BTreeMap::new() }) };
        self.partition.vitals(&[(terminal.parse().unwrap(), report)]).await.unwrap();
    }

    /// The last changes of a terminal as JSON without their times, the oldest first.
    async fn changed(&self, terminal: &str) -> Vec<String> {
        let changes = self.partition.changes(&terminal.parse().unwrap()).await.unwrap().unwrap();
        let text = |kind| serde_json::to_string(&kind).unwrap().replace(['"', '{', '}'], "").replace("kind:", "");
        changes.into_iter().map(|change| text(change.kind)).collect()
    }

    /// The bytes of the changes of a terminal.
    async fn bytes_of_changes(&self, ordinal: u32) -> u32 {
        self.ask("HSTRLEN", "terminals", &[&format!("{ordinal}+")]).await
    }
}

fn id(terminal: &str) -> TerminalId {
    terminal.parse().unwrap()
}

#[tokio::test]
async fn a_minute_has_the_terminals_of_each_kind_and_what_happened_before_it() {
    let store = TestPartition::start().await;
    for node in ["n1", "n2", "n3"] {
        store.lease(node, node != "n3").await;
    }
    for (terminal, on) in [("a", "n1"), ("b", "n2"), ("c", "n2"), ("d", "n3")] {
        store.joined(&session(terminal), on).await;
    }
    store.partition.set_stale(&node("n2"), &[2]).await.unwrap();
    store.condition("a", Condition::Degraded).await;
    store.condition("d", Condition::Failing).await;
    let one = draft("");
    store.partition.accept_one(&ask(&one, &bounds()), &[id("a"), id("b")]).await.unwrap();
    for (state, targets) in [(TargetState::Sent, &[(0, 5), (1, 5)][..]), (TargetState::Acked, &[(0, 9)])] {
        store.partition.raise(&of_epoch(""), &raised(one.frame.id, state, targets)).await.unwrap();
    }
    let other = draft("");
    store.partition.accept_one(&ask(&other, &bounds()), &[id("d")]).await.unwrap();
    store.partition.cancel_alone(other.frame.id).await.unwrap();
    assert!(store.partition.write_minute().await.unwrap());
    let day = store.day().await;
    let minute = &day[0];
    assert_eq!((day.len(), minute.online, minute.stale, minute.offline), (1, 2, 1, 1), "{minute:?}");
    assert_eq!(serde_json::to_string(&minute.by_condition).unwrap(), r#"{"degraded":1,"failing":1,"ok":2}"#);
    assert_eq!(serde_json::to_string(&minute.commands).unwrap(), r#"{"accepted":2,"cancelled":1,"done":0}"#);
    let targets: Vec<_> = minute.targets.iter().filter(|(_, count)| **count > 0).collect();
    assert_eq!(targets, [(&TargetState::Sent, &2), (&TargetState::Acked, &1)]);

    store.make_older(1).await;
    store.partition.raise(&of_epoch(""), &raised(one.frame.id, TargetState::Acked, &[(1, 9)])).await.unwrap();
    assert!(store.partition.write_minute().await.unwrap());
    let day = store.day().await;
    assert_eq!((day.len(), day[1].commands["accepted"], day[1].targets[&TargetState::Acked]), (2, 0, 1), "{day:?}");
    assert_eq!(day[1].commands["done"], 1, "nothing is counted twice");
}

#[tokio::test]
async fn a_minute_is_written_once_whoever_writes_it() {
    let store = TestPartition::start().await;
    let before = store.minute().await;
    let (one, other) = tokio::join!(store.partition.write_minute(), store.partition.write_minute());
    let wrote = u32::from(one.unwrap()) + u32::from(other.unwrap());
    // A minute may have begun between the two calls.
    assert!(wrote == 1 || (wrote == 2 && store.minute().await > before), "{wrote}");
    assert_eq!(store.day().await.len(), wrote as usize);
}

#[tokio::test]
async fn a_minute_that_nobody_wrote_is_a_gap_and_one_of_yesterday_is_not_shown() {
    let store = TestPartition::start().await;
    // A ring of which 1438 and the next 4 minutes were written, of which 1439 was in the round before.
    for minute in [2 * MINUTES_MAX - 2, MINUTES_MAX - 1, 2 * MINUTES_MAX, 2 * MINUTES_MAX + 1] {
        let entry = [minute.to_be_bytes(), [0, 0, 0, 7]].concat();
        store.put((minute % MINUTES_MAX * MINUTE_BYTES) as usize, &[entry, vec![0; 56]].concat()).await;
    }
    let shown = async |last: u32, count: u32| {
        let found = store.partition.minutes(last, count).await.unwrap();
        found.into_iter().map(|(minute, _)| minute).collect::<Vec<_>>()
    };
    let (last, first) = (2 * MINUTES_MAX + 1, 2 * MINUTES_MAX - 2);
    assert_eq!(shown(last, 4).await, [first, last - 1, last]);
    assert_eq!(shown(last, MINUTES_MAX).await, [first, last - 1, last]);
    assert_eq!(shown(last - 1, 2).await, [last - 1]);
    assert_eq!(shown(last + 5, 3).await, [0; 0]);
    assert_eq!(shown(MINUTES_MAX - 1, 3).await, [MINUTES_MAX - 1]);
}

#[tokio::test]
async fn writing_a_minute_costs_as_many_calls_for_a_large_fleet_and_a_bounded_number_of_bytes() {
    let mut calls = Vec::new();
    for size in [10, 4096] {
        let store = TestPartition::start().await;
        store.register(0, size, Some("n1")).await;
        let _: u64 = store.ask("SETRANGE", "minutes", &["92096", ""]).await;
        let () = store.call(redis::cmd("CONFIG").arg("RESETSTAT")).await;
        assert!(store.partition.write_minute().await.unwrap());
        let own = ["info", "config|resetstat", "evalsha", "script|load"];
        let counted = store.calls().await.into_iter().filter(|(name, _)| !own.contains(&name.as_str()));
        calls.push(counted.map(|(_, calls)| calls).sum::<u64>());
        let place = (MINUTES_MAX * MINUTE_BYTES) as usize;
        store.put(place - 64, &[0; 64]).await;
        assert_eq!(store.ask::<usize>("STRLEN", "minutes", &[]).await, place);
    }
    assert_eq!(calls[0], calls[1]);
    assert!(calls[0] <= 20, "{calls:?}");
}

#[tokio::test]
async fn the_changes_of_a_terminal_are_told_in_their_order() {
    let store = TestPartition::start().await;
    let first = session("far");
    let (ordinal, _) = store.joined(&first, "n1").await;
    store.condition("far", Condition::Ok).await;
    store.condition("far", Condition::Failing).await;
    store.condition("far", Condition::Failing).await;
    store.condition("far", Condition::Ok).await;
    for given in [&[("site", "bj")][..], &[("site", "bj")]] {
        assert!(store.partition.label(&id("far"), &labels(given)).await.unwrap());
    }
    store.partition.leave(&first.info, &node("n1"), SessionEnd::NoHeartbeat, 1).await.unwrap();
    let second = with(session("far"), |info| info.labels = labels(&[("kind", "kiosk")]));
    store.joined(&second, "n2").await;
    store.joined(&second, "n2").await;
    let third = with(second, |info| info.session = session("far").info.session);
    store.joined(&third, "n3").await;
    store.die("n3", 1).await;
    while store.partition.bury(&node("n3")).await.unwrap() {}
    let expected = [
        "online,node:n1",
        "condition,condition:failing",
        "condition,condition:ok",
        "labels,by:operator",
        "offline,reason:no_heartbeat",
        "labels,by:terminal",
        "online,node:n2",
        "online,node:n3",
        "offline,reason:node_lost",
    ];
    assert_eq!(store.changed("far").await, expected);
    let (now, told) =
        (store.partition.clock().await.unwrap(), store.partition.changes(&id("far")).await.unwrap().unwrap());
    let seconds = now.as_second() - told[0].at.as_second();
    assert!((0..60).contains(&seconds), "{told:?}");
    assert!(store.partition.forget(&id("far")).await.unwrap());
    assert_eq!(store.partition.changes(&id("far")).await.unwrap(), None);
    assert_eq!(store.bytes_of_changes(ordinal).await, 0, "nothing of it is left for whoever gets its ordinal");
    store.joined(&session("far"), "n1").await;
    assert_eq!(store.changed("far").await, ["online,node:n1"]);
}

#[tokio::test]
async fn the_last_sixteen_changes_are_stored_and_no_more_bytes_than_their_bound() {
    let store = TestPartition::start().await;
    // The longest id with which all 16 find room, and the longest of all.
    for (on, expected) in [("node-3f9a1c2b", 16), ("a-name-of-a-node-that-is-long-42", 10)] {
        for end in [SessionEnd::Left, SessionEnd::Lost].repeat(12) {
            let request = session(on);
            let (ordinal, _) = store.joined(&request, on).await;
            store.partition.leave(&request.info, &node(on), end, 1).await.unwrap();
            assert!(store.bytes_of_changes(ordinal).await <= 220);
        }
        let changed = store.changed(on).await;
        assert_eq!(changed.len(), expected, "{changed:?}");
        let last = [&format!("online,node:{on}"), "offline,reason:lost"];
        assert_eq!(changed[expected - 2..], last.map(str::to_owned), "the newest are there");
    }
}

#[tokio::test]
async fn recording_changes_adds_no_call_to_a_join_and_can_be_switched_off() {
    let store = TestPartition::start().await;
    let topology: Topology = store.redis.url.parse().unwrap();
    let connection = Connection::new(topology, store.keys.tag());
    let scripts = Arc::new(PartitionScripts::new(1 << 30, false));
    let off = StorePartition::new(store.partition.index, store.keys.clone(), connection, scripts);
    let on = store.partition.clone();
    let mut calls = Vec::new();
    let mut store = store;
    for (terminal, partition) in [("on", on), ("off", off)] {
        store.partition = partition;
        let request = session(terminal);
        store.joined(&request, "n1").await;
        store.partition.leave(&request.info, &node("n1"), SessionEnd::Left, 1).await.unwrap();
        let () = store.call(redis::cmd("CONFIG").arg("RESETSTAT")).await;
        store.joined(&session(terminal), "n1").await;
        let own = ["info", "config|resetstat"];
        let counted = store.calls().await.into_iter().filter(|(name, _)| !own.contains(&name.as_str()));
        calls.push(counted.map(|(_, calls)| calls).sum::<u64>());
    }
    assert_eq!(calls[0], calls[1], "calls of a join");
    store.condition("off", Condition::Failing).await;
    assert!(store.partition.label(&id("off"), &labels(&[("site", "bj")])).await.unwrap());
    store.die("n1", 1).await;
    while store.partition.bury(&node("n1")).await.unwrap() {}
    assert_eq!(store.changed("off").await, [""; 0]);
    assert_eq!(store.changed("on").await, ["online,node:n1", "offline,reason:left", "online,node:n1"]);
}
