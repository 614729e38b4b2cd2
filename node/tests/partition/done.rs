//! A command is told to be done, once, however it ends and whoever is gone by then.

use std::time::Duration;

use muster_node::backplane::redis::partition::{PartitionAsk, RaisedState};
use muster_protocol::{
    CommandId,
    api::TargetState::{self, Acked, Sent},
};

use crate::{
    commands::{ask, bounds, draft, terminals},
    states::{of_epoch, raised},
    store::TestPartition,
};

impl TestPartition {
    /// The data of all `command.done`, without the command's id.
    async fn done(&self) -> Vec<String> {
        let told = self.told().await.into_iter();
        let done = told.filter_map(|event| event.strip_prefix("command.done ").map(str::to_owned));
        done.map(|data| {
            let mut data: serde_json::Value = serde_json::from_str(&data).unwrap();
            data.as_object_mut().unwrap().remove("command");
            data.to_string()
        })
        .collect()
    }

    /// Accepts a command for the terminals 0 to 2 of 5 that expires after so many ms.
    async fn accept_for(&self, fields: &str, ms: u64) -> CommandId {
        self.register(0, 5, Some("n1")).await;
        let (draft, bounds) = (draft(fields), bounds());
        let ask = PartitionAsk { expires_in: Duration::from_millis(ms), ..ask(&draft, &bounds) };
        self.partition.accept_one(&ask, &terminals(&[0, 1, 2])).await.unwrap();
        draft.frame.id
    }

    async fn reaches(&self, id: CommandId, state: TargetState, ordinals: &[u32]) {
        let targets: Vec<_> = ordinals.iter().map(|ordinal| (*ordinal, 10)).collect();
        let state = RaisedState { settled: false, ..raised(id, state, &targets) };
        self.partition.raise(&of_epoch(""), &state).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_command_of_one_partition_is_done_with_its_counts_when_all_have_confirmed() {
    let store = TestPartition::start().await;
    let id = store.accept_for("", 60_000).await;
    store.reaches(id, Acked, &[0, 1]).await;
    assert!(store.done().await.is_empty());
    store.reaches(id, Acked, &[2]).await;
    assert_eq!(store.done().await, [r#"{"counts":{"acked":3},"state":"done","targets":3}"#]);
    assert_eq!(store.ask::<u64>("ZCARD", "ending", &[]).await, 0, "nothing is left to end");
}

#[tokio::test]
async fn a_command_of_one_partition_that_expires_is_done_then_and_once() {
    let store = TestPartition::start().await;
    let id = store.accept_for(r#""confirm":"result""#, 300).await;
    store.reaches(id, Sent, &[0]).await;
    store.reaches(id, Acked, &[1]).await;
    store.partition.sweep().await.unwrap();
    assert!(store.done().await.is_empty(), "it is open");
    store.let_pass(300).await;
    for _ in 0..2 {
        store.partition.sweep().await.unwrap();
    }
    let ended = r#"{"counts":{"expired":1,"sent":1,"timed_out":1},"state":"done","targets":3}"#;
    assert_eq!(store.done().await, [ended]);
    // A result that comes late changes the state and not that the command is done.
    store.reaches(id, TargetState::Succeeded, &[0, 1, 2]).await;
    assert_eq!(store.done().await, [ended]);
}

#[tokio::test]
async fn a_cancelled_command_is_done_when_those_that_have_it_have_confirmed() {
    let store = TestPartition::start().await;
    let id = store.accept_for("", 60_000).await;
    store.reaches(id, Sent, &[0]).await;
    assert_eq!(store.partition.cancel_alone(id).await, Ok(Some(true)));
    assert!(store.done().await.is_empty(), "one has it");
    store.reaches(id, Acked, &[0]).await;
    assert_eq!(store.done().await, [r#"{"counts":{"acked":1,"cancelled":2},"state":"cancelled","targets":3}"#]);
    let unsent = draft("");
    store.partition.accept_one(&ask(&unsent, &bounds()), &terminals(&[3])).await.unwrap();
    assert_eq!(store.partition.cancel_alone(unsent.frame.id).await, Ok(Some(true)));
    assert_eq!(store.done().await[1..], [r#"{"counts":{"cancelled":1},"state":"cancelled","targets":1}"#]);
}

#[tokio::test]
async fn what_no_node_has_told_is_remembered_until_one_does() {
    let store = TestPartition::start().await;
    store.register(0, 5, Some("n1")).await;
    let draft = draft("");
    store.accept_set(&draft, "all\n").await;
    let (id, index) = (draft.frame.id, store.partition.index);
    assert_eq!(store.partition.telling().await.unwrap(), (vec![], vec![]));
    store.reaches(id, Acked, &[0, 1, 2, 3, 4]).await;
    assert_eq!(store.partition.telling().await.unwrap(), (vec![], vec![id]), "its home does not know it");
    assert!(store.partition.finish_share(id, index).await.unwrap());
    store.partition.home_is_told(id).await.unwrap();
    assert_eq!(store.partition.telling().await.unwrap(), (vec![id], vec![]), "there is no event of it");
    assert!(store.partition.tell_done(id, r#"{"command":"x"}"#).await.unwrap());
    assert!(!store.partition.tell_done(id, r#"{"command":"x"}"#).await.unwrap());
    assert_eq!(store.partition.telling().await.unwrap(), (vec![], vec![]));
    assert_eq!(store.done().await.len(), 1);
}
