//! A node on a Redis Cluster of three masters, one of which can be taken away: with it, a third of the partitions.

use std::sync::atomic::{AtomicUsize, Ordering};

use muster_protocol::partition::{PartitionIndex, Partitions};
use muster_testkit::{
    TestNode, TestRedis, free_port,
    http::{get, request},
    wait::until,
};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The number of partitions: each master has two.
pub const PARTITIONS: u16 = 6;
/// The partitions of the master that is taken away.
pub const AWAY: [u16; 2] = [2, 3];
/// The last slot of each master.
const LAST_SLOTS: [u16; 3] = [5460, 10_922, 16_383];

/// A node, and three masters without replicas.
pub struct MastersAndNode {
    /// Held while the cluster runs: many servers at once on a small machine are late for each other.
    _permit: SemaphorePermit<'static>,
    pub node: TestNode,
    pub masters: Vec<TestRedis>,
    named: AtomicUsize,
}

impl MastersAndNode {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same, with further flags of the node.
    pub async fn start_with(flags: &[&str]) -> Self {
        static CLUSTERS: Semaphore = Semaphore::const_new(2);
        let permit = CLUSTERS.acquire().await.unwrap();
        let mut masters = Vec::new();
        for _ in 0..3 {
            let bus = free_port();
            let settings = format!(
                "--cluster-enabled yes --cluster-port {bus} --cluster-node-timeout 1000 --cluster-require-full-coverage no"
            );
            let master = TestRedis::start_with(|command, _| _ = command.args(settings.split_whitespace())).await;
            masters.push((master, bus));
        }
        for (other, bus) in &masters[1..] {
            let () = masters[0]
                .0
                .ask(&["CLUSTER", "MEET", "127.0.0.1", &other.port.to_string(), &bus.to_string()])
                .await
                .unwrap();
        }
        let masters: Vec<_> = masters.into_iter().map(|(master, _)| master).collect();
        let mut first = 0;
        for (master, last) in masters.iter().zip(LAST_SLOTS) {
            let () = master.ask(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]).await.unwrap();
            first = last + 1;
        }
        for master in &masters {
            until("the cluster is whole", async || {
                let info: String = master.ask(&["CLUSTER", "INFO"]).await.unwrap();
                info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384")
            })
            .await;
        }
        let url = format!("redis+cluster://127.0.0.1:{}", masters[0].port);
        let partitions = PARTITIONS.to_string();
        let own = ["--insecure", "--redis", &url, "--partitions", &partitions];
        let node = TestNode::start(&[&own, flags].concat()).await;
        let cluster = Self { _permit: permit, node, masters, named: AtomicUsize::new(0) };
        cluster.until_ready("ready\n").await;
        cluster
    }

    /// An id of a terminal in this partition that no other call returned.
    pub fn id_in(&self, partition: u16) -> String {
        let partitions = Partitions::new(PARTITIONS).unwrap();
        loop {
            let id = format!("t{:03}", self.named.fetch_add(1, Ordering::Relaxed));
            if partitions.of(&id.parse().unwrap()) == PartitionIndex(partition) {
                return id;
            }
        }
    }

    /// Stops the process of the second master, and waits until the node has noticed.
    pub async fn take_away(&self) {
        self.masters[1].hang();
        self.until_ready("ready\ndegraded: [2,3]\n").await;
    }

    /// Lets the second master go on, and waits until the node has noticed.
    pub async fn bring_back(&self) {
        self.masters[1].go_on();
        self.until_ready("ready\n").await;
    }

    /// Waits until `/readyz` is answered with 200 and a text that begins like this; without partitions that do not work it is the whole
    /// text.
    async fn until_ready(&self, text: &str) {
        until(&format!("/readyz says {text:?}"), async || {
            let (status, _, body) = request(self.node.address, "GET /readyz HTTP/1.1\r\n").await;
            status == 200 && if text == "ready\n" { body == text } else { body.starts_with(text) }
        })
        .await;
    }

    /// What `GET path` answers with 200.
    pub async fn shown(&self, path: &str) -> Value {
        let (status, body) = get(self.node.address, path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }
}
