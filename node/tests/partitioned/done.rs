//! It is told once that a command is done, also if the nodes that were to tell it are gone.

use muster_node::backplane::{Cursor, accepted_at, redis::partition::RaisedState};
use muster_protocol::{
    CommandId,
    api::{Protocol::V1, TargetState::Acked},
    partition::{PartitionIndex, Partitions},
};
use muster_testkit::{http::events, wait::until};
use serde_json::{Value, json};

use crate::{
    begun::partition,
    store::{PARTITIONS, PartitionedCluster, ids},
};

/// The data of each `command.done` of a command.
pub fn done(events: &str, id: CommandId) -> Vec<Value> {
    let data = events.split("event: command.done\ndata: ").skip(1);
    let data = data.map(|rest| serde_json::from_str::<Value>(rest.lines().next().unwrap()).unwrap());
    data.filter(|data| data["command"] == id.to_string()).collect()
}

/// All targets confirm a command, of which a node that is then gone told the store. With `told`, it also told the command's home.
async fn is_told_by_another_node(told: bool) {
    let cluster = PartitionedCluster::start().await;
    for id in ids(8) {
        cluster.there.was_here(&id, V1).await;
    }
    let (status, command) = cluster.here.command(r#"{"all":true}"#, "9").await;
    assert_eq!(status, 202, "{command}");
    let id: CommandId = command["id"].as_str().unwrap().parse().unwrap();
    let home = Partitions::new(PARTITIONS.parse().unwrap()).unwrap().home(id);
    let home = partition(&cluster, home).await;
    let at = accepted_at(id).as_millisecond() as u64 + 10;
    let mut settled = 0;
    for index in 0..PARTITIONS.parse().unwrap() {
        let targets = (0..8).map(|ordinal| (ordinal, at)).collect();
        let acked = RaisedState { command: id, state: Acked, settled: false, targets };
        let outcome = partition(&cluster, PartitionIndex(index))
            .await
            .raise(&Cursor { epoch: String::new(), number: 0 }, &acked)
            .await
            .unwrap()
            .unwrap();
        settled += outcome.rose;
        if told && outcome.is_settled {
            home.finish_share(id, PartitionIndex(index)).await.unwrap();
        }
    }
    assert_eq!(settled, 8);
    let mut found = Vec::new();
    until("it is told that the command is done", async || {
        found = done(&events(cluster.there.address).await, id);
        !found.is_empty()
    })
    .await;
    until("nothing is left to tell", async || home.telling().await.unwrap() == (vec![], vec![])).await;
    found = done(&events(cluster.here.address).await, id);
    let data = json!({ "command": id, "state": "done", "targets": 8, "counts": { "acked": 8 } });
    assert_eq!(found, [data]);
}

#[tokio::test]
async fn a_command_whose_home_was_not_told_that_all_have_confirmed_is_done() {
    is_told_by_another_node(false).await;
}

#[tokio::test]
async fn a_command_that_its_home_knows_to_be_done_is_told_to_be_done() {
    is_told_by_another_node(true).await;
}
