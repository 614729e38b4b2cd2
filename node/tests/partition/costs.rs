//! What steps cost of Redis' CPU, printed. U is the cost of one `HSET` when 100,000 new fields of 100 bytes are written into one hash
//! in batches of 500, on the same server: figures in U say the same on any machine.
//!
//! `cargo test -p muster-node --test partition costs -- --ignored --nocapture --test-threads 1`

use futures_util::future::join_all;
use muster_node::backplane::redis::partition::PartitionAsk;
use muster_protocol::api::TargetState::{Acked, Queued, Sent, Succeeded};
use redis::InfoDict;

use crate::{
    commands::{ask, bounds, draft, terminals},
    store::TestPartition,
};

impl TestPartition {
    /// The CPU time that Redis has used, in µs.
    pub async fn cpu(&self) -> f64 {
        let info: InfoDict = self.call(redis::cmd("INFO").arg("cpu")).await;
        let of = |name| info.get::<f64>(name).unwrap();
        (of("used_cpu_user_main_thread") + of("used_cpu_sys_main_thread")) * 1e6
    }

    /// The bytes that Redis has allocated.
    pub async fn memory(&self) -> f64 {
        let info: InfoDict = self.call(redis::cmd("INFO").arg("memory")).await;
        info.get("used_memory").unwrap()
    }

    /// The time of U, in µs.
    pub async fn unit(&self) -> f64 {
        let before = self.cpu().await;
        for batch in 0..200 {
            let mut pipe = redis::pipe();
            (0..500).for_each(|at| {
                pipe.hset("unit", batch * 500 + at, "x".repeat(100)).ignore();
            });
            self.run(&pipe).await;
        }
        let unit = (self.cpu().await - before) / 100_000.0;
        self.run(redis::pipe().del("unit")).await;
        unit
    }
}

#[tokio::test]
#[ignore = "prints figures"]
async fn a_command_for_one_terminal() {
    let store = TestPartition::start().await;
    store.register(0, 10_000, Some("n1")).await;
    let (unit, bounds) = (store.unit().await, bounds());
    let (cpu, memory) = (store.cpu().await, store.memory().await);
    for batch in 0..200 {
        let drafts: Vec<_> = (0..50).map(|_| draft("")).collect();
        let accepted = drafts.iter().enumerate().map(|(at, draft)| {
            let (store, ask, at) =
                (&store, PartitionAsk { again: false, ..ask(draft, &bounds) }, batch * 50 + at as u32);
            async move { store.partition.accept_one(&ask, &terminals(&[at])).await.unwrap() }
        });
        join_all(accepted).await;
    }
    let (cpu, memory) = ((store.cpu().await - cpu) / 1e4, (store.memory().await - memory) / 1e4);
    let used: Vec<String> = store.ask("HGETALL", "used", &[]).await;

    println!(
        "U {unit:.2} us; one command {cpu:.1} us = {:.1} U, {memory:.0} B, counted {used:?} of 10,000",
        cpu / unit
    );
}

/// A fleet of one of 16 partitions of a million terminals.
const ORDINALS: u32 = 62_500;

#[tokio::test]
#[ignore = "prints figures"]
async fn a_command_for_many() {
    let store = TestPartition::start().await;
    store.register(0, ORDINALS, Some("n1")).await;
    let (unit, mut shared, mut ids) = (store.unit().await, Vec::new(), Vec::new());
    for set in ["all\n", "connected\n"] {
        let drafts: Vec<_> = (0..100).map(|_| draft("")).collect();
        let before = store.cpu().await;
        for draft in &drafts {
            assert_eq!(store.accept_set(draft, set).await, u64::from(ORDINALS));
        }
        shared.push((store.cpu().await - before) / 100.0);
        ids.push(drafts[0].frame.id);
    }
    println!(
        "U {unit:.2} us; begin + share + commit of {ORDINALS}: all {:.0} us, with its bitmap {:.0} us",
        shared[0], shared[1]
    );
    let memory = store.memory().await;
    for (name, state, step, at) in
        [("sent at once", Sent, 1, 5), ("acked", Acked, 20, 40), ("succeeded", Succeeded, 200, 90)]
    {
        let before = store.cpu().await;
        for part in 0..step {
            // One walk sends; what comes back comes within 50 ms.
            let targets: Vec<_> = (part..ORDINALS)
                .step_by(step as usize)
                .map(|ordinal| (ordinal, at + u64::from(ordinal % 50)))
                .collect();
            store.raise(ids[0], state, &targets).await;
        }
        let cpu = (store.cpu().await - before) / f64::from(ORDINALS);
        println!(
            "{name}: {:.0} a report, {cpu:.3} us = {:.3} U a target",
            f64::from(ORDINALS) / f64::from(step),
            cpu / unit
        );
    }
    println!("{:.1} B a target", (store.memory().await - memory) / f64::from(ORDINALS));
    let slow: Vec<(u64, u64, u64, Vec<String>, String, String)> =
        store.call(redis::cmd("SLOWLOG").arg("GET").arg("-1")).await;
    let longest = slow.iter().filter(|call| call.3[0] == "EVALSHA").map(|call| (call.2, call.3[4].clone())).max();
    println!("the longest call by the wall clock, if over 10 ms: {longest:?}");
    for state in [None, Some(Acked), Some(Queued)] {
        let states = state.as_ref().map(std::slice::from_ref);
        let before = store.cpu().await;
        for _ in 0..20 {
            store.partition.targets(ids[0], states, Some(30_000), 512).await.unwrap();
        }
        println!("a page of 512 targets, {state:?}: {:.0} us", (store.cpu().await - before) / 20.0);
    }
}
