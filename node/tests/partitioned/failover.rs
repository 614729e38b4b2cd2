//! A Redis Cluster of which one master is replaced: its partitions alone are concerned.

use std::collections::BTreeMap;

use muster_protocol::{
    api::Protocol::V1,
    id::ClusterName,
    partition::{PartitionIndex, Partitions},
    redis_keys::RedisKeys,
};
use muster_testkit::{OnlineTerminal, TestCluster, TestNode, http::request, wait::until};

use crate::store::ids;

const PARTITIONS: u16 = 12;

/// The names of a partition, and the server that had its slot when the cluster was started.
fn keys(index: PartitionIndex) -> RedisKeys {
    RedisKeys::of_partition(&ClusterName::default(), 0, Partitions::new(PARTITIONS).unwrap(), index)
}

async fn server_of(cluster: &TestCluster, index: PartitionIndex) -> usize {
    let slot: usize = cluster.servers[0].ask(&format!("CLUSTER KEYSLOT {}", keys(index).tag())).await.unwrap();
    [5460, 10922, 16383].iter().position(|last| slot <= *last).unwrap()
}

/// A node on a Redis Cluster, with terminals on all masters.
struct SpreadNode {
    cluster: TestCluster,
    node: TestNode,
    /// The number of the last command that each terminal got, by the server that has its partition.
    terminals: BTreeMap<usize, Vec<(String, OnlineTerminal)>>,
    sent: u64,
}

impl SpreadNode {
    async fn start() -> Self {
        let cluster = TestCluster::start().await;
        let (url, partitions) = (cluster.url(), PARTITIONS.to_string());
        let node =
            TestNode::start(&["--insecure", "--node-id", "n", "--redis", &url, "--partitions", &partitions]).await;
        let mut terminals: BTreeMap<usize, Vec<_>> = BTreeMap::new();
        for id in ids(9) {
            let index = Partitions::new(PARTITIONS).unwrap().of(&id.parse().unwrap());
            let terminal = node.terminal(&id, V1, &[]).await;
            terminals.entry(server_of(&cluster, index).await).or_default().push((id, terminal));
        }
        assert_eq!(terminals.keys().collect::<Vec<_>>(), [&0, &1, &2]);
        Self { cluster, node, terminals, sent: 0 }
    }

    /// The names of the node's leases in the partitions of the servers beside this one.
    async fn leases_beside(&self, server: usize) -> BTreeMap<u16, String> {
        let mut leases = BTreeMap::new();
        for index in Partitions::new(PARTITIONS).unwrap().all() {
            let other = server_of(&self.cluster, index).await;
            if other != server {
                let claim = format!("HGET {} n", keys(index).key("claims"));
                leases.insert(index.0, self.cluster.servers[other].text(&claim).await);
            }
        }
        leases
    }

    /// Each terminal beside this server's gets a command, at once and in order.
    async fn others_go_on(&mut self, server: usize) {
        for (_, terminals) in self.terminals.iter_mut().filter(|(other, _)| **other != server) {
            for (id, terminal) in terminals {
                self.sent += 1;
                let (target, payload) = (format!(r#"{{"terminal":"{id}"}}"#), self.sent.to_string());
                let (status, problem) = self.node.command(&target, &payload).await;
                assert_eq!(status, 202, "{id}: {problem}");
                assert_eq!(terminal.payload().await, payload, "{id}");
            }
        }
    }
}

async fn one_master_alone_is_replaced(kill: bool) {
    let mut spread = SpreadNode::start().await;
    let leases = spread.leases_beside(1).await;
    spread.others_go_on(1).await;
    if kill {
        spread.cluster.servers[1].kill();
    } else {
        spread.cluster.servers[4].tell("CLUSTER FAILOVER").await;
    }
    while !spread.cluster.is_master(4).await {
        spread.others_go_on(1).await;
    }
    let (id, mut terminal) = spread.terminals.get_mut(&1).unwrap().pop().unwrap();
    let target = format!(r#"{{"terminal":"{id}"}}"#);
    let mut accepted = Vec::new();
    until("its partitions are back", async || {
        let payload = format!("\"{}\"", accepted.len());
        let (status, _) = spread.node.command(&target, &payload).await;
        accepted.push((payload, status));
        status == 202
    })
    .await;
    spread.others_go_on(1).await;
    assert_eq!(spread.leases_beside(1).await, leases, "no other lease was lost");
    // What was asked for without an answer may have been stored, so the terminal may get it too.
    let last = &accepted.last().unwrap().0;
    while terminal.payload().await != *last {}
    until("all partitions work", async || {
        let (status, _, text) = request(spread.node.address, "GET /readyz HTTP/1.1\r\n").await;
        status == 200 && !text.contains("degraded")
    })
    .await;
    let all = spread.node.command(r#"{"all":true}"#, "\"all\"").await;
    assert_eq!((all.0, &all.1["targets"]), (202, &9.into()), "{}", all.1);
    assert_eq!(terminal.payload().await, "\"all\"");
    for (_, terminal) in spread.terminals.values_mut().flatten() {
        assert_eq!(terminal.payload().await, "\"all\"");
        assert!(terminal.is_quiet());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_on_request_of_one_master_concerns_its_partitions_alone() {
    one_master_alone_is_replaced(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_death_of_one_master_concerns_its_partitions_alone() {
    one_master_alone_is_replaced(true).await;
}
