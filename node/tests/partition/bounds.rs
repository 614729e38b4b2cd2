//! No step makes more calls to Redis for a large fleet than for a small one.

use std::collections::BTreeMap;

use muster_protocol::api::TargetState::{Acked, Sent};

use crate::{
    commands::{ask, bounds, draft, terminals},
    states::{of_epoch, raised},
    store::TestPartition,
};

/// The calls of all commands since the last time, without those of the test.
async fn counted(store: &TestPartition) -> u64 {
    let calls: BTreeMap<String, u64> = store.calls().await.into_iter().collect();
    let own = ["info", "config|resetstat", "evalsha", "script|load"];
    let sum = calls.iter().filter(|(name, _)| !own.contains(&name.as_str())).map(|(_, calls)| calls).sum();
    store.call::<()>(redis::cmd("CONFIG").arg("RESETSTAT")).await;
    sum
}

/// The least number of calls of five tries of a step, each in another millisecond: in one of eight an acceptance also forgets what
/// has expired.
async fn least(store: &TestPartition, mut step: impl AsyncFnMut()) -> u64 {
    let mut least = u64::MAX;
    for _ in 0..5 {
        store.let_pass(0).await;
        counted(store).await;
        step().await;
        least = least.min(counted(store).await);
    }
    least
}

/// The calls of each step for a fleet of this size.
async fn steps(size: u32) -> BTreeMap<&'static str, u64> {
    let store = TestPartition::start().await;
    store.register(0, size, Some("n1")).await;
    let (mut all, mut steps, target) = (draft(""), BTreeMap::new(), terminals(&[size - 1]));
    let accept_one = async || _ = store.partition.accept_one(&ask(&draft(""), &bounds()), &target).await.unwrap();
    steps.insert("one command", least(&store, accept_one).await);
    let accept_all = async || {
        all = draft("");
        store.accept_set(&all, "all\n").await;
    };
    steps.insert("a command for all", least(&store, accept_all).await);
    let targets: Vec<_> = (0..size).map(|ordinal| (ordinal, 10)).collect();
    store.partition.raise(&of_epoch(""), &raised(all.frame.id, Sent, &targets)).await.unwrap().unwrap();
    steps.insert("sent to all", counted(&store).await);
    store.partition.raise(&of_epoch(""), &raised(all.frame.id, Acked, &targets[..10])).await.unwrap().unwrap();
    steps.insert("10 acked", counted(&store).await);
    store.partition.command(all.frame.id).await.unwrap();
    steps.insert("looked up", counted(&store).await);
    store.partition.cancel(all.frame.id, Some(false), None).await.unwrap();
    steps.insert("cancelled", counted(&store).await);
    store.partition.sweep().await.unwrap();
    steps.insert("swept", counted(&store).await);
    steps
}

#[tokio::test]
async fn a_step_makes_as_many_calls_for_a_large_fleet_as_for_a_small_one() {
    let (small, large) = (steps(10).await, steps(4096).await);
    let more = |step: &str| large[step].abs_diff(small[step]) > 3;
    assert!(!small.keys().any(|step| more(step)), "{small:?} {large:?}");
    assert!(small["one command"] <= 16 && small["sent to all"] <= 24 && small["a command for all"] <= 34, "{small:?}");
}

#[tokio::test]
async fn reports_of_a_command_for_one_terminal_make_few_calls() {
    let store = TestPartition::start().await;
    store.register(0, 1, Some("n1")).await;
    let (draft, bounds) = (draft(""), bounds());
    store.partition.accept_one(&ask(&draft, &bounds), &terminals(&[0])).await.unwrap();
    for (state, most) in [(Sent, 5), (Acked, 9)] {
        counted(&store).await;
        let report = raised(draft.frame.id, state, &[(0, 10)]);
        store.partition.raise(&of_epoch(""), &report).await.unwrap().unwrap();
        let calls = counted(&store).await;
        assert!(calls <= most, "{state:?}: {calls} calls");
    }
}

#[tokio::test]
async fn what_expired_of_a_full_backlog_is_taken_out_in_bounded_steps() {
    let store = TestPartition::start().await;
    store.register(0, 20, None).await;
    let (mut bounds, short) = (bounds(), r#""expires_in":"1s""#);
    bounds.backlog = 100;
    for _ in 0..100 {
        store
            .partition
            .accept_one(&ask(&draft(short), &bounds), &terminals(&(0..20).collect::<Vec<_>>()))
            .await
            .unwrap();
    }
    store.let_pass(1010).await;
    counted(&store).await;
    let refused = store.partition.accept_one(&ask(&draft(""), &bounds), &terminals(&(0..20).collect::<Vec<_>>())).await;
    let calls = counted(&store).await;
    assert!(refused.is_err() && calls <= 4 * 512, "512 entries are looked at, not 2,000: {calls}");
    let mut tries = 1;
    while store.partition.accept_one(&ask(&draft(""), &bounds), &terminals(&(0..20).collect::<Vec<_>>())).await.is_err()
    {
        tries += 1;
        assert!(tries < 10);
    }
}
