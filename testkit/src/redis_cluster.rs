//! A Redis Cluster of three masters, mostly with a replica each.

use futures_util::future::join_all;
use redis::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{TestServer, free_port, wait::until};

/// The servers: three masters with a third of the slots each, and then their replicas, if they have any, in the same order.
pub struct TestCluster {
    /// Held while the cluster runs: with more than two at once on a small machine, masters are late for each other.
    _permit: SemaphorePermit<'static>,
    /// The servers.
    pub servers: Vec<TestServer>,
}

impl TestCluster {
    /// Starts it, and waits until every server knows the others. Without full coverage required, the masters that are there go on
    /// while one fails over.
    pub async fn start() -> Self {
        let cluster = Self::of_masters(6, 1000).await;
        for index in 0..3 {
            let id = cluster.servers[index].text("CLUSTER MYID").await;
            let replicate = format!("CLUSTER REPLICATE {id}");
            let replica = &cluster.servers[index + 3];
            until("the replica knows its master", async || replica.ask::<()>(&replicate).await.is_ok()).await;
        }
        for replica in &cluster.servers[3..] {
            until("the replica follows", async || {
                replica.text("INFO replication").await.contains("master_link_status:up")
            })
            .await;
        }
        cluster.until_up().await;
        cluster.until_replicas_are_known().await;
        cluster
    }

    /// Starts three masters alone, for measuring. A master that is late for the others, on a busy machine, is taken for dead after
    /// 30 s only.
    pub async fn without_replicas() -> Self {
        let cluster = Self::of_masters(3, 30_000).await;
        cluster.until_up().await;
        cluster
    }

    /// Starts servers of which the first three have the slots, and waits until each knows the others.
    async fn of_masters(count: usize, timeout_ms: u32) -> Self {
        static CLUSTERS: Semaphore = Semaphore::const_new(2);
        let permit = CLUSTERS.acquire().await.unwrap();
        let settings = format!(
            "--cluster-enabled yes --cluster-node-timeout {timeout_ms} --cluster-require-full-coverage no --repl-diskless-sync-delay 0"
        );
        let buses: Vec<u16> = (0..count).map(|_| free_port()).collect();
        let start = |bus: &u16| {
            let settings = format!("{settings} --cluster-port {bus}");
            async move { TestServer::start(&settings).await }
        };
        let servers = join_all(buses.iter().map(start)).await;
        for (index, server) in servers.iter().enumerate().skip(1) {
            servers[0].tell(&format!("CLUSTER MEET 127.0.0.1 {} {}", server.port, buses[index])).await;
        }
        for (master, (first, last)) in servers.iter().zip([(0, 5460), (5461, 10922), (10923, 16383)]) {
            master.tell(&format!("CLUSTER ADDSLOTSRANGE {first} {last}")).await;
        }
        let cluster = Self { _permit: permit, servers };
        cluster.until_info("all are known", &format!("cluster_known_nodes:{count}")).await;
        cluster
    }

    async fn until_up(&self) {
        self.until_info("the cluster is whole", "cluster_slots_ok:16384").await;
        self.until_info("the cluster is up", "cluster_state:ok").await;
    }

    /// Waits until every server says this of the cluster.
    async fn until_info(&self, what: &str, line: &str) {
        for server in &self.servers {
            until(what, async || server.text("CLUSTER INFO").await.contains(line)).await;
        }
    }

    async fn until_replicas_are_known(&self) {
        for server in &self.servers {
            until("replicas are known", async || {
                server.text("CLUSTER NODES").await.lines().filter(|line| line.contains("slave")).count() == 3
            })
            .await;
        }
    }

    /// The URL, with the address of one server.
    pub fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{}", self.servers[0].port)
    }

    /// The index of the server at this port.
    pub fn index(&self, address: &impl ToString) -> usize {
        let at = |server: &TestServer| address.to_string().ends_with(&format!(":{}", server.port));
        self.servers.iter().position(at).expect("a server of the cluster")
    }

    /// Whether a server is a master.
    pub async fn is_master(&self, index: usize) -> bool {
        let Ok(Value::Array(role)) = self.servers[index].ask("ROLE").await else { return false };
        role.first() == Some(&Value::BulkString(b"master".to_vec()))
    }

    /// Begins to move the slot of a tag from one master to another. Keys that are not there are redirected (`ASK`).
    pub async fn begin_move(&self, tag: &str, from: usize, to: usize) {
        let (from, to) = (&self.servers[from], &self.servers[to]);
        let slot = from.text(&format!("CLUSTER KEYSLOT {tag}")).await;
        let [from_id, to_id] = [from.text("CLUSTER MYID").await, to.text("CLUSTER MYID").await];
        to.tell(&format!("CLUSTER SETSLOT {slot} IMPORTING {from_id}")).await;
        from.tell(&format!("CLUSTER SETSLOT {slot} MIGRATING {to_id}")).await;
    }

    /// Moves the keys of the slot, and then the slot, as redis-cli --cluster reshard does.
    pub async fn end_move(&self, tag: &str, from: usize, to: usize) {
        let (from, to) = (&self.servers[from], &self.servers[to]);
        let (slot, id) = (from.text(&format!("CLUSTER KEYSLOT {tag}")).await, to.text("CLUSTER MYID").await);
        let keys: Vec<String> = from.ask(&format!("CLUSTER GETKEYSINSLOT {slot} 1000")).await.unwrap();
        for key in keys {
            from.tell(&format!("MIGRATE 127.0.0.1 {} {key} 0 5000", to.port)).await;
        }
        for server in [to, from] {
            server.tell(&format!("CLUSTER SETSLOT {slot} NODE {id}")).await;
        }
    }
}
