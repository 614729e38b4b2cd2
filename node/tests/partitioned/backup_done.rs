//! A store is exported after all targets have confirmed a command, and before or after that was told.

use muster_node::backplane::{
    Cursor, accepted_at,
    redis::partition::{RaisedState, StorePartition},
};
use muster_protocol::{
    CommandId,
    api::{Protocol::V1, TargetState::Acked},
    partition::{PartitionIndex, Partitions},
};
use muster_testkit::{
    http::{events, post},
    wait::until,
};
use serde_json::json;

use crate::{backup::BackupTest, begun::partition_of, done::done, store::ids};

/// How far the end of the command came before the export.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Heard {
    /// All targets have confirmed, and the home does not know it.
    Settled,
    /// The home knows that the command is done, and has not written its event.
    AtHome,
    /// The event is written.
    Told,
}

async fn home(test: &BackupTest, partitions: u16, id: CommandId) -> StorePartition {
    let partitions = Partitions::new(partitions).unwrap();
    partition_of(&test.redis, partitions, partitions.home(id)).await
}

/// A command for all of eight terminals, which have confirmed it while no node ran.
async fn confirmed(test: &BackupTest, heard: Heard) -> CommandId {
    let node = test.node("3").await;
    for id in ids(8) {
        node.was_here(&id, V1).await;
    }
    let (status, command) = node.command(r#"{"all":true}"#, "9").await;
    assert_eq!(status, 202, "{command}");
    node.stop().await;
    let id: CommandId = command["id"].as_str().unwrap().parse().unwrap();
    let (at, home) = (accepted_at(id).as_millisecond() as u64 + 10, home(test, 3, id).await);
    let mut rose = 0;
    for index in (0..3).map(PartitionIndex) {
        let store = partition_of(&test.redis, Partitions::new(3).unwrap(), index).await;
        let targets = (0..8).map(|ordinal| (ordinal, at)).collect();
        let acked = RaisedState { command: id, state: Acked, settled: false, targets };
        let outcome = store.raise(&Cursor { epoch: String::new(), number: 0 }, &acked).await.unwrap().unwrap();
        rose += outcome.rose;
        if heard >= Heard::AtHome && outcome.is_settled {
            home.finish_share(id, index).await.unwrap();
        }
    }
    assert_eq!(rose, 8);
    if heard == Heard::Told {
        home.tell_done(id, "{}").await.unwrap();
    }
    id
}

/// The events of a command's end after the store was moved twice.
async fn told_after_an_import(heard: Heard) -> usize {
    let test = BackupTest::start().await;
    let id = confirmed(&test, heard).await;
    test.move_to(5).await;
    test.move_to(4).await;
    let store = home(&test, 4, id).await;
    assert_eq!(store.telling().await.unwrap().0.contains(&id), heard < Heard::Told);
    let node = test.node("4").await;
    until("nothing is left to tell", async || store.telling().await.unwrap() == (vec![], vec![])).await;
    let told = done(&events(node.address).await, id);
    let data = json!({ "command": id, "state": "done", "targets": 8, "counts": { "acked": 8 } });
    assert!(told.iter().all(|told| *told == data), "{told:?}");
    told.len()
}

#[tokio::test]
async fn a_command_whose_home_did_not_know_that_all_have_confirmed_is_told_to_be_done_after_an_import() {
    assert_eq!(told_after_an_import(Heard::Settled).await, 1);
}

#[tokio::test]
async fn a_command_that_was_done_and_not_told_is_told_to_be_done_after_an_import() {
    assert_eq!(told_after_an_import(Heard::AtHome).await, 1);
}

#[tokio::test]
async fn a_command_that_was_told_to_be_done_before_the_export_is_not_told_again() {
    assert_eq!(told_after_an_import(Heard::Told).await, 0);
}

#[tokio::test]
async fn a_command_that_expires_after_an_import_is_told_to_be_done() {
    let test = BackupTest::start().await;
    let node = test.node("3").await;
    for id in ids(8) {
        node.was_here(&id, V1).await;
    }
    // Of a command for few only its home knows when it ends.
    let body = json!({ "target": { "terminals": ids(8) }, "name": "show", "expires_in": "5s" }).to_string();
    let (status, command) = post(node.address, "/v1/commands", &body).await;
    assert_eq!(status, 202, "{command}");
    node.stop().await;
    test.move_to(5).await;
    let id: CommandId = command["id"].as_str().unwrap().parse().unwrap();
    let (node, mut told) = (test.node("5").await, Vec::new());
    until("it is told", async || {
        told = done(&events(node.address).await, id);
        !told.is_empty()
    })
    .await;
    let data = json!({ "command": id, "state": "done", "targets": 8, "counts": { "expired": 8 } });
    assert_eq!(told, [data]);
}

/// A store that lacks what a node has seen of it gets another epoch, so that terminals are told of a gap.
#[tokio::test]
async fn an_imported_store_lacks_nothing_that_a_node_has_seen_of_it() {
    let (test, three) = (BackupTest::start().await, Partitions::new(3).unwrap());
    confirmed(&test, Heard::Told).await;
    test.move_to(3).await;
    let mut seen = Vec::new();
    for keys in test.redis.partitions().await {
        let epoch: String = test.redis.ask(&["GET", &keys.key("epoch")]).await.unwrap();
        let number: u64 = test.redis.ask(&["GET", &keys.key("seq")]).await.unwrap();
        seen.push(Cursor { epoch, number });
    }
    let node = test.node("3").await;
    let (status, command) = node.command(r#"{"all":true}"#, "9").await;
    assert_eq!(status, 202, "{command}");
    let id: CommandId = command["id"].as_str().unwrap().parse().unwrap();
    let at = accepted_at(id).as_millisecond() as u64 + 10;
    for (index, seen) in (0..3).map(PartitionIndex).zip(&seen) {
        let acked = RaisedState { command: id, state: Acked, settled: false, targets: vec![(0, at)] };
        let raised = partition_of(&test.redis, three, index).await.raise(seen, &acked).await.unwrap();
        assert_eq!(raised.map(|outcome| outcome.rose), Some(1), "partition {index}");
    }
}
