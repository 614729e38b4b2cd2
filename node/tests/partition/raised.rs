//! Reports of one command for many in one call: each has targets of its own.

use std::collections::BTreeMap;

use muster_node::backplane::redis::partition::RaisedState;
use muster_protocol::{
    CommandId,
    api::TargetState::{Acked, Queued, Sent, Succeeded},
};

use crate::{
    commands::draft,
    states::{of_epoch, raised},
    store::TestPartition,
};

impl TestPartition {
    /// Accepts a command for the terminals 0 to 29.
    async fn accept_for_thirty(&self) -> CommandId {
        self.register(0, 30, Some("n1")).await;
        let draft = draft("");
        self.accept_set(&draft, "all\n").await;
        draft.frame.id
    }

    /// How many targets rose by reports of one call.
    async fn raise_together(&self, reports: &[RaisedState]) -> u64 {
        let outcomes = self.partition.raise_all(&of_epoch(""), reports).await.unwrap().unwrap();
        outcomes.iter().map(|(_, outcome)| outcome.rose).sum()
    }
}

fn all(ms: u64) -> Vec<(u32, u64)> {
    (0..30).map(|ordinal| (ordinal, ms)).collect()
}

#[tokio::test]
async fn a_report_raises_its_own_targets_and_none_of_the_report_before() {
    let store = TestPartition::start().await;
    let id = store.accept_for_thirty().await;
    let reports = [raised(id, Acked, &all(10)), raised(id, Succeeded, &[(17, 20)])];
    assert_eq!(store.raise_together(&reports).await, 31);
    assert_eq!(store.counts(id).await, BTreeMap::from([(Acked, 29), (Succeeded, 1)]));
}

#[tokio::test]
async fn a_report_raises_its_targets_to_the_states_below_also_if_others_were_raised_to_them_before() {
    let store = TestPartition::start().await;
    let id = store.accept_for_thirty().await;
    let reports = [raised(id, Sent, &[(0, 10), (1, 10)]), raised(id, Acked, &[(2, 20)])];
    assert_eq!(store.raise_together(&reports).await, 3);
    assert_eq!(store.counts(id).await, BTreeMap::from([(Queued, 27), (Sent, 2), (Acked, 1)]));
}

#[tokio::test]
async fn a_round_over_what_is_open_passes_over_commands_that_are_done() {
    let store = TestPartition::start().await;
    let bitmaps = async || {
        let _: String = store.call(redis::cmd("CONFIG").arg("RESETSTAT")).await;
        let _: u64 = store.ask("DEL", "confirm_rest", &[]).await;
        assert!(store.partition.confirm().await.unwrap(), "a round has ended");
        store.calls().await.get("bitop").copied().unwrap_or(0)
    };
    let id = store.accept_for_thirty().await;
    assert!(bitmaps().await > 0, "something is unconfirmed");
    store.raise_together(&[raised(id, Acked, &all(10))]).await;
    assert_eq!(bitmaps().await, 0);
}

#[tokio::test]
async fn a_target_that_is_twice_in_a_report_has_its_first_time() {
    let store = TestPartition::start().await;
    let id = store.accept_for_thirty().await;
    assert_eq!(store.raise_together(&[raised(id, Acked, &[(3, 10), (3, 20), (4, 20)])]).await, 2);
    let times: Vec<_> = store.targets(id).await.iter().map(|target| target.record.steps[1]).collect();
    assert_eq!(times[2..5], [None, Some(10), Some(20)]);
}
