//! What sessions and the registry cost of Redis' CPU, and the memory of a terminal, printed: see `costs.rs`.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use muster_node::{
    backplane::{
        JoinRequest,
        redis::partition::{registry::PartitionQuery, selection::SetExpression},
    },
    end::SessionEnd,
    reports::HealthReport,
};
use muster_protocol::api::Status;

use crate::{
    fixtures::{labels, node, session, with},
    store::TestPartition,
};

/// The terminals of one of 16 partitions, of a fleet of a million.
const TERMINALS: u32 = 62_500;

/// A terminal with two labels, one of them of many values.
fn kiosk(n: u32) -> JoinRequest {
    with(session(&format!("kiosk-{n:07}")), |info| {
        info.labels =
            labels(&[("site", &format!("s{:03}", n % 200)), ("kind", if n.is_multiple_of(2) { "a" } else { "b" })]);
    })
}

impl TestPartition {
    /// The longest call since the log of slow calls was reset, in µs; 0 if none took a millisecond.
    async fn longest_call(&self) -> u64 {
        let slow: Vec<Vec<redis::Value>> = self.call(redis::cmd("SLOWLOG").arg("GET").arg(1000)).await;
        let time = |entry: &Vec<redis::Value>| redis::from_redis_value(entry[2].clone()).unwrap();
        slow.iter().map(time).max().unwrap_or(0)
    }

    /// The time that scripts took since the statistics were reset, in µs.
    async fn time_in_scripts(&self) -> f64 {
        let stats: String = self.call(redis::cmd("INFO").arg("commandstats")).await;
        let line = stats.lines().find(|line| line.starts_with("cmdstat_evalsha:"));
        let time = line.and_then(|line| line.split_once("usec=")?.1.split(',').next()?.parse().ok());
        time.unwrap_or_default()
    }

    /// Does this so many times, and prints what one costs.
    async fn costs(&self, name: &str, unit: f64, count: u32, work: impl AsyncFnOnce()) {
        let () = self.call(redis::cmd("CONFIG").arg("RESETSTAT")).await;
        let () = self.call(redis::cmd("SLOWLOG").arg("RESET")).await;
        let before = self.cpu().await;
        work().await;
        let cost = (self.cpu().await - before) / f64::from(count);
        let within = self.time_in_scripts().await / f64::from(count);
        let longest = self.longest_call().await;
        println!(
            "{name}: {cost:.2} us = {:.2} U, of which {within:.2} us in scripts; longest {longest} us",
            cost / unit
        );
    }
}

#[tokio::test]
#[ignore = "prints figures"]
async fn sessions_and_the_registry() {
    let store = TestPartition::start().await;
    let () = store.call(redis::cmd("CONFIG").arg("SET").arg("slowlog-log-slower-than").arg(1000)).await;
    let () = store.call(redis::cmd("CONFIG").arg("SET").arg("slowlog-max-len").arg(1000)).await;
    let unit = store.unit().await;
    println!("U {unit:.2} us");
    store.lease("n1", true).await;
    store.lease("n2", true).await;
    let memory = store.memory().await;
    let all: Vec<_> = (0..TERMINALS).map(kiosk).collect();
    store.costs("a new terminal joins", unit, TERMINALS, async || store.join_all(&all, "n1").await).await;
    let events: f64 = store.ask("HGET", "used", &["events"]).await;
    let stream: f64 =
        store.call::<Option<f64>>(redis::cmd("MEMORY").arg("USAGE").arg(store.keys.key("events"))).await.unwrap();
    let bytes = store.memory().await - memory - stream;
    println!("{:.0} B a terminal, without {events} B of events that have {stream} B", bytes / f64::from(TERMINALS));

    let leave = async |requests: &[JoinRequest], on: &str| {
        stream::iter(requests)
            .for_each_concurrent(32, async |request| {
                store.partition.leave(&request.info, &node(on), SessionEnd::Left, 1).await.unwrap();
            })
            .await;
    };
    let again = |from: u32| (from..from + 2000).map(kiosk).collect::<Vec<_>>();
    store.costs("a session leaves", unit, 2000, async || leave(&all[..2000], "n1").await).await;
    let joined = again(0);
    store.costs("it joins again", unit, 2000, async || store.join_all(&joined, "n2").await).await;
    for open in [20, 480] {
        let everyone = "\u{7f}".repeat(TERMINALS as usize / 8);
        for _ in 0..open {
            let (id, _) = store.many(1, &[1]).await;
            for state in ["targets", "acked"] {
                let _: u64 = store.ask("SETRANGE", &format!("command:{id}:{state}"), &["0", &everyone]).await;
            }
        }
        let _: u64 = store.ask("SETRANGE", "unconfirmed", &["0", &everyone]).await;
        let (first, second) = (again(0), again(0));
        leave(&joined, "n2").await;
        store
            .costs(&format!("with {open} more open, the first time"), unit, 2000, async || {
                store.join_all(&first, "n2").await;
            })
            .await;
        leave(&first, "n2").await;
        store.costs("and the next", unit, 2000, async || store.join_all(&second, "n2").await).await;
        leave(&second, "n2").await;
    }
    for request in &all[10_000..11_000] {
        store.partition.label(&request.info.terminal, &labels(&[("group", "x")])).await.unwrap();
    }
    store
        .costs("heartbeat of one session", unit, 20_480, async || {
            let report = HealthReport { seen: Some((jiff::Timestamp::now(), 12)), health: None };
            let reports: Vec<_> = all[..20_480].iter().map(|r| (r.info.terminal.clone(), report.clone())).collect();
            store.partition.vitals(&reports).await.unwrap();
        })
        .await;
    // The leases have run out meanwhile.
    store.lease("n1", true).await;
    let page = async |set: Option<SetExpression>| {
        for _ in 0..20 {
            let query = PartitionQuery { set: set.clone(), limit: 100, ..PartitionQuery::default() };
            store.partition.page(&query).await.unwrap();
        }
    };
    store.costs("a page of 100 terminals", unit, 20, async || page(None).await).await;
    let site = SetExpression::Label("site".into(), "s007".into());
    store.costs("of a label of 300", unit, 20, async || page(Some(site.clone())).await).await;
    let kind = SetExpression::Label("kind".into(), "a".into()).and(SetExpression::Status(Status::Online));
    store.costs("of half of all, online", unit, 20, async || page(Some(kind.clone())).await).await;
    store
        .costs("counts of the fleet", unit, 20, async || {
            for _ in 0..20 {
                store.partition.fleet().await.unwrap();
            }
        })
        .await;
    let terms = (0..32).map(|n| SetExpression::Label("site".into(), format!("s{n:03}"))).reduce(SetExpression::or);
    store
        .costs("an expression of 63 terms", unit, 5, async || {
            for _ in 0..5 {
                store.partition.count(terms.as_ref().unwrap()).await.unwrap();
            }
        })
        .await;
    store
        .costs("what is unconfirmed is worked out anew, 64 commands", unit, 8, async || {
            let _: bool = store.ask("SETBIT", "unconfirmed", &["0", "1"]).await;
            for _ in 0..8 {
                let _: u32 = store.ask("DEL", "confirm_rest", &[]).await;
                store.partition.confirm().await.unwrap();
            }
        })
        .await;
    let held: Vec<u32> = store.held("n1").await;
    store
        .costs("a node's sessions are compared", unit, 20, async || {
            for _ in 0..20 {
                assert_eq!(store.partition.compare(&node("n1"), &held).await.unwrap(), None);
            }
        })
        .await;
    let of_n1 = held.len() as u32;
    store.die("n1", 1).await;
    store
        .costs("a dead node's session", unit, of_n1, async || while store.partition.bury(&node("n1")).await.unwrap() {})
        .await;
    store
        .costs("a look for terminals to forget", unit, 122, async || {
            for _ in 0..122 {
                store.partition.forget_away(Duration::from_secs(3600)).await.unwrap();
            }
        })
        .await;
}
