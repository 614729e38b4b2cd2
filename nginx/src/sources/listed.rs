//! Nodes that someone else lists. The list says which nodes there may be. Those that do not answer a probe are left
//! out, unless none answers.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context;
use futures_util::future::join_all;
use ipnet::IpNet;

use super::{file, name::NodeName};
use crate::{
    config::{Config, NodesFrom},
    leases::{PartitionLook, RegistrySnapshot},
    membership::Members,
    probe::{ProbeKind, answers},
};

/// How often all nodes of the list are probed. A node that is new in the list is probed at once.
const PROBE_EVERY: Duration = Duration::from_secs(2);
/// After how many rounds without an answer a node is left out. A new node is left out until it answers.
const SILENT_ROUNDS: u32 = 3;

/// A list of nodes, and which of them answer.
pub struct ListedNodes {
    origin: NodesFrom,
    list: NodeList,
    allow: Vec<IpNet>,
    probe: Option<ProbeKind>,
    /// The rounds in a row without an answer, by node of the list.
    silent: BTreeMap<SocketAddr, u32>,
    due: Instant,
}

enum NodeList {
    File(PathBuf),
    Name(NodeName),
}

impl ListedNodes {
    /// Prepares to read a list. `origin` must not be Redis.
    pub fn new(origin: &NodesFrom, config: &Config) -> anyhow::Result<Self> {
        let list = match origin {
            NodesFrom::File(path) => NodeList::File(path.clone()),
            NodesFrom::Dns(name, port) => NodeList::Name(NodeName::new(name, *port)),
            NodesFrom::Redis => anyhow::bail!("the leases in Redis are no list"),
        };
        let (allow, probe) = (config.allow.clone(), config.probe.clone());
        Ok(Self { origin: origin.clone(), list, allow, probe, silent: BTreeMap::new(), due: Instant::now() })
    }

    /// Returns the nodes of the list that answer, or all of them if none answers. An error, which names the flag, if
    /// the list can't be read.
    pub async fn read(&mut self) -> anyhow::Result<RegistrySnapshot> {
        let now = Instant::now();
        let listed = match &mut self.list {
            NodeList::File(path) => file::read(path, &self.allow),
            NodeList::Name(name) => name.read(&self.allow, now).await,
        };
        let listed = listed.with_context(|| format!("--nodes-from {}", self.origin))?;
        self.probe_if_due(&listed, now).await;
        let answering: Members = listed.iter().filter(|node| self.silent[*node] < SILENT_ROUNDS).copied().collect();
        let leased = if answering.is_empty() { listed } else { answering };
        let look = PartitionLook { run_id: self.origin.to_string(), leases: leased.len() };
        Ok(RegistrySnapshot { leased, partitions: 1, looks: vec![(0, Some(look))], ..RegistrySnapshot::default() })
    }

    async fn probe_if_due(&mut self, listed: &Members, now: Instant) {
        if now < self.due && listed.iter().eq(self.silent.keys()) {
            return;
        }
        self.due = now + PROBE_EVERY;
        let asked = listed.iter().map(|node| answers(*node, self.probe.as_ref()));
        let answered = join_all(asked).await;
        let rounds = |node: &SocketAddr| self.silent.get(node).copied().unwrap_or(SILENT_ROUNDS);
        let counted =
            |(node, answers): (&SocketAddr, bool)| (*node, if answers { 0 } else { rounds(node).saturating_add(1) });
        self.silent = listed.iter().zip(answered).map(counted).collect();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use muster_testkit::free_port;
    use tokio::net::TcpListener;

    use super::*;

    /// Returns a list in a file, and the file.
    fn listed(dir: &tempfile::TempDir) -> (ListedNodes, PathBuf) {
        let path = dir.path().join("nodes");
        let from = format!("file:{}", path.display());
        let config = crate::config::tests::config(&["--nodes-from", &from, "--probe", "tcp"]);
        (ListedNodes::new(&config.nodes_from, &config).unwrap(), path)
    }

    async fn read(nodes: &mut ListedNodes) -> Members {
        nodes.due = Instant::now();
        nodes.read().await.unwrap().leased
    }

    #[tokio::test]
    async fn a_node_joins_when_it_answers_and_leaves_after_three_rounds_without_an_answer() {
        let dir = tempfile::tempdir().unwrap();
        let (mut nodes, path) = listed(&dir);
        let one = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (first, second) = (one.local_addr().unwrap(), SocketAddr::from(([127, 0, 0, 1], free_port())));
        fs::write(&path, format!("{first}\n{second}\n")).unwrap();
        assert_eq!(read(&mut nodes).await, [first].into());
        let two = TcpListener::bind(second).await.unwrap();
        assert_eq!(read(&mut nodes).await, [first, second].into());
        drop(one);
        for left in [vec![first, second], vec![first, second], vec![second]] {
            assert_eq!(read(&mut nodes).await, left.into_iter().collect());
        }
        drop(two);
        for _ in 0..SILENT_ROUNDS {
            read(&mut nodes).await;
        }
        assert_eq!(read(&mut nodes).await, [first, second].into(), "none answers, so all are served");
    }

    #[tokio::test]
    async fn a_list_that_can_not_be_read_is_an_error_that_names_the_flag() {
        let dir = tempfile::tempdir().unwrap();
        let (mut nodes, path) = listed(&dir);
        let error = format!("{:#}", nodes.read().await.unwrap_err());
        assert!(error.starts_with(&format!("--nodes-from file:{}: can't read it", path.display())), "{error}");
    }
}
