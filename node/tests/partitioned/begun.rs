//! A command for many whose acceptance its node began and did not finish.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use muster_node::backplane::{
    CommandDraft,
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
use muster_testkit::{http::get, wait::until};

use crate::store::{PARTITIONS, PartitionedCluster, ids};

/// The home of a command, as a node of the cluster has it.
async fn home(cluster: &PartitionedCluster) -> StorePartition {
    let (index, partitions) = (PartitionIndex(0), Partitions::new(PARTITIONS.parse().unwrap()).unwrap());
    let keys = RedisKeys::of_partition(&ClusterName::default(), 0, partitions, index);
    let trust = Trust::new(&ClusterName::default(), &[]);
    trust.set_store(&cluster.redis.ask::<String>(&["HGET", &keys.key("store"), "id"]).await.unwrap());
    let topology: Topology = cluster.redis.url.parse().unwrap();
    let connection = Connection::new(topology, keys.tag());
    StorePartition::new(index, keys, connection, Arc::new(PartitionScripts::new(1 << 30))).sealed_by(Arc::new(trust))
}

#[tokio::test]
async fn a_command_whose_acceptance_was_left_is_finished_by_another_node() {
    let cluster = PartitionedCluster::start().await;
    let mut terminals = Vec::new();
    for id in ids(8) {
        terminals.push(cluster.there.terminal(&id, V1, &[]).await);
    }
    let request = r#"{"target":{"all":true},"name":"show","payload":9}"#;
    let mut draft = CommandDraft::new(serde_json::from_str(request).unwrap(), None);
    draft.frame.id = homed(draft.frame.id, PartitionIndex(0));
    let bounds = PartitionBounds { keep: Duration::from_secs(600), log: 1000, backlog: 1000, bytes: 1 << 30 };
    let ask = PartitionAsk {
        draft: &draft,
        by: "ann",
        with_key: false,
        again: false,
        expires_in: draft.request.expires_in,
        bounds: &bounds,
        seen: None,
    };
    let surveyed = BTreeMap::from([(0, 2), (1, 2), (2, 2), (3, 1), (4, 1)]);
    let begun = home(&cluster).await.begin(&ask, &surveyed).await.unwrap();
    assert!(matches!(begun, BeginOutcome::Begun(_)), "{begun:?}");
    for terminal in &mut terminals {
        assert_eq!(terminal.payload().await, "9");
    }
    let path = format!("/v1/commands/{}", draft.frame.id);
    until("all targets are counted", async || get(cluster.here.address, &path).await.1["targets"] == 8).await;
    assert!(terminals.iter_mut().all(|terminal| terminal.is_quiet()), "each gets it once");
}
