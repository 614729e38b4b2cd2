//! A command for many whose acceptance its node began and did not finish.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use muster_node::backplane::{
    CommandDraft, IdempotencyKey,
    redis::{
        partition::{BeginOutcome, PartitionAsk, PartitionBounds, PartitionScripts, StorePartition},
        trust::Trust,
    },
};
use muster_protocol::{
    api::Protocol::V1,
    id::ClusterName,
    partition::{PartitionIndex, Partitions, homed},
    redis_keys::RedisKeys,
};
use muster_redis::{Connection, Topology};
use muster_testkit::{OnlineTerminal, TestRedis, http::get, wait::until};

use crate::{
    keys::{partitions, post, stored_name},
    store::{PartitionedCluster, ids},
};

/// A partition, as a node of the cluster has it.
pub async fn partition(cluster: &PartitionedCluster, index: PartitionIndex) -> StorePartition {
    partition_of(&cluster.redis, partitions(), index).await
}

/// A partition of a store of so many, as its nodes have it.
pub async fn partition_of(redis: &TestRedis, count: Partitions, index: PartitionIndex) -> StorePartition {
    let keys = |index| RedisKeys::of_partition(&ClusterName::default(), 0, count, index);
    let trust = Trust::new(&ClusterName::default(), &[]);
    let store = keys(PartitionIndex(0)).key("store");
    trust.set_store(&redis.ask::<String>(&["HGET", &store, "id"]).await.unwrap());
    let keys = keys(index);
    let topology: Topology = redis.url.parse().unwrap();
    let connection = Connection::new(topology, keys.tag());
    StorePartition::new(index, keys, connection, Arc::new(PartitionScripts::new(1 << 30, true)))
        .sealed_by(Arc::new(trust))
}

/// Has a node begin a command for `t00` to `t07`, and do nothing more.
async fn begin(cluster: &PartitionedCluster, draft: &mut CommandDraft, at: PartitionIndex) {
    draft.frame.id = homed(draft.frame.id, at);
    let bounds = PartitionBounds { keep: Duration::from_secs(600), log: 1000, backlog: 1000, bytes: 1 << 30 };
    let ask = PartitionAsk {
        draft,
        by: "ann",
        with_key: draft.key.is_some(),
        again: false,
        expires_in: draft.request.expires_in,
        bounds: &bounds,
        seen: None,
    };
    let surveyed = BTreeMap::from([(0, 2), (1, 2), (2, 2), (3, 1), (4, 1)]);
    let begun = partition(cluster, at).await.begin(&ask, &surveyed).await.unwrap();
    assert!(matches!(begun, BeginOutcome::Begun(_)), "{begun:?}");
}

async fn terminals(cluster: &PartitionedCluster) -> Vec<OnlineTerminal> {
    let mut terminals = Vec::new();
    for id in ids(8) {
        terminals.push(cluster.there.terminal(&id, V1, &[]).await);
    }
    terminals
}

const TO_ALL: &str = r#"{"target":{"all":true},"name":"show","payload":9}"#;

#[tokio::test]
async fn a_command_whose_acceptance_was_left_is_finished_by_another_node() {
    let cluster = PartitionedCluster::start().await;
    let mut terminals = terminals(&cluster).await;
    let mut draft = CommandDraft::new(serde_json::from_str(TO_ALL).unwrap(), None);
    begin(&cluster, &mut draft, PartitionIndex(0)).await;
    for terminal in &mut terminals {
        assert_eq!(terminal.payload().await, "9");
    }
    let path = format!("/v1/commands/{}", draft.frame.id);
    until("all targets are counted", async || get(cluster.here.address, &path).await.1["targets"] == 8).await;
    assert!(terminals.iter_mut().all(|terminal| terminal.is_quiet()), "each gets it once");
}

#[tokio::test]
async fn a_command_that_was_left_and_is_asked_for_again_comes_before_what_is_asked_for_after() {
    let cluster = PartitionedCluster::start().await;
    let mut terminals = terminals(&cluster).await;
    let key = IdempotencyKey::new("", "k", TO_ALL.as_bytes()).unwrap();
    let (_, at) = stored_name("k");
    let mut draft = CommandDraft::new(serde_json::from_str(TO_ALL).unwrap(), Some(key));
    begin(&cluster, &mut draft, at).await;
    let again = post(&cluster.here, "k", TO_ALL).await;
    let after = post(&cluster.here, "k2", &TO_ALL.replace('9', "10")).await;
    assert_eq!((again.0, &again.1["id"], after.0), (202, &draft.frame.id.to_string().into(), 202), "{}", again.1);
    for terminal in &mut terminals {
        assert_eq!([terminal.payload().await, terminal.payload().await], ["9", "10"]);
        assert!(terminal.is_quiet(), "each gets it once");
    }
}
