//! The other nodes, as their leases describe them. One task reads the leases at an interval and keeps them in memory,
//! so a handshake is placed without a call to the store. The lock is held for a look-up and never across an await.
//!
//! Invariant: this node sends no handshake to a peer whose lease was not renewed lately, or that did not answer when
//! this node last asked it. A node whose address is in no network of `--allow` is no peer.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use ipnet::IpNet;
use muster_protocol::{
    NodeId,
    address::{UnusableAddress, of_node},
    api::{NodeState, NodeView},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use super::Candidate;
use crate::backplane::{Backplane, BackplaneError};

/// The interval at which a node reads the leases. A session count is at most as old as this interval and the interval
/// of lease renewals together.
const LOOK: Duration = Duration::from_millis(500);
/// A lease that was not renewed for so long is stale. Its node has missed two renewals and may hang, and a handshake
/// that is sent to a node that hangs is stuck.
const STALE: Duration = Duration::from_millis(3500);
/// For so long this node passes over a peer that did not answer.
const SILENT: Duration = Duration::from_secs(1);
/// The time within which a peer must answer. A node that works needs far less.
const PATIENCE: Duration = Duration::from_millis(300);

/// The table of the other nodes.
#[derive(Debug)]
pub struct Peers {
    me: NodeId,
    allow: Vec<IpNet>,
    table: Mutex<BTreeMap<NodeId, Peer>>,
    /// The nodes whose addresses this node refuses to use. They are remembered so that each is logged once.
    refused: Mutex<BTreeSet<NodeId>>,
}

#[derive(Debug)]
struct Peer {
    view: NodeView,
    address: SocketAddr,
    /// When this node first saw the peer, by this node's clock.
    since: Instant,
    renewed: Instant,
    /// Handshakes that this node sent to the peer since its lease was renewed: the peer's session count does not
    /// include them yet.
    sent: u64,
    asked: Option<Shared<BoxFuture<'static, bool>>>,
    silent: Option<Instant>,
}

impl Peers {
    /// Returns an empty table. `me` is this node's own id, and `allow` the networks of the others.
    pub fn new(me: NodeId, allow: Vec<IpNet>) -> Self {
        Self { me, allow, table: Mutex::default(), refused: Mutex::default() }
    }

    /// Reads the leases at an interval; never returns. While the store is away no lease is renewed, so soon every peer
    /// is stale, and each node keeps the handshakes that it gets.
    pub async fn run(self: Arc<Self>, backplane: Arc<dyn Backplane>) {
        let mut ticks = time::interval(LOOK);
        loop {
            ticks.tick().await;
            // An error needs no handling: if the leases can't be read, all peers are soon stale.
            let _ = self.look(&*backplane).await;
        }
    }

    /// Reads the leases now. Fails if the store is away.
    pub async fn look(&self, backplane: &dyn Backplane) -> Result<(), BackplaneError> {
        self.update(backplane.nodes().await?.nodes);
        Ok(())
    }

    /// Returns the id and state of each fresh peer, and for how long this node has seen the peer.
    pub fn states(&self) -> Vec<(NodeId, NodeState, Duration)> {
        let table = self.table();
        let state = |peer: &Peer| (peer.view.id.clone(), peer.view.state, peer.since.elapsed());
        table.values().filter(|peer| peer.is_fresh()).map(state).collect()
    }

    /// Returns the number of sessions that all fresh peers hold together.
    pub fn sessions(&self) -> u64 {
        self.table().values().filter(|peer| peer.is_fresh()).map(|peer| peer.view.sessions).sum()
    }

    /// Returns the peers that take new sessions. Their session counts include an estimate of the handshakes that all
    /// nodes sent there since the last renewal.
    pub fn candidates(&self) -> Vec<Candidate> {
        let table = self.table();
        let ready: Vec<_> = table.values().filter(|peer| peer.takes_sessions()).collect();
        // Nginx deals handshakes evenly, so each of the other nodes sends a peer about as many handshakes as this node
        // does.
        let senders = ready.len() as u64;
        let candidate = |peer: &&Peer| Candidate {
            address: peer.address,
            sessions: peer.view.sessions + peer.sent * senders,
            started_at: peer.view.started_at,
            leaving: peer.view.state == NodeState::Leaving || peer.view.accepts == 0,
        };
        ready.iter().map(candidate).collect()
    }

    /// Returns the number of handshakes per second that all peers together admit.
    pub fn accept(&self) -> u64 {
        self.table().values().filter(|peer| peer.takes_sessions()).map(|peer| peer.view.accepts).sum()
    }

    /// Counts a handshake that this node sent to the peer at `address`.
    pub fn sent_to(&self, address: SocketAddr) {
        if let Some(peer) = self.table().values_mut().find(|peer| peer.address == address) {
            peer.sent += 1;
        }
    }

    /// Returns whether the peer at `address` answers now.
    ///
    /// Asks the peer, because a node that hangs keeps its lease for seconds, and a handshake that is sent there is
    /// stuck. Handshakes that arrive while the peer is being asked share the answer. A peer that did not answer is not
    /// asked again for `SILENT`.
    pub async fn answers(&self, address: SocketAddr) -> bool {
        let asked = {
            let mut table = self.table();
            let Some(peer) = table.values_mut().find(|peer| peer.address == address) else { return false };
            if peer.silent.is_some_and(|since| since.elapsed() < SILENT) {
                return false;
            }
            peer.ask()
        };
        let answers = asked.await;
        if let Some(peer) = self.table().values_mut().find(|peer| peer.address == address) {
            peer.silent = (!answers).then(Instant::now);
        }
        answers
    }

    /// Returns why this node refuses to use another node's address; none if it uses the address, or if the other node
    /// is itself.
    pub fn refusal(&self, view: &NodeView) -> Option<UnusableAddress> {
        of_node(&view.address, &self.allow).err().filter(|_| view.id != self.me)
    }

    /// Sets `refused` of each node: why this node does not use it, or none.
    pub fn mark(&self, nodes: &mut [NodeView]) {
        for view in nodes {
            view.refused = self.refusal(view).map(|why| why.to_string());
        }
    }

    fn warn(&self, nodes: &[NodeView]) {
        let mut known = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = nodes.iter().filter_map(|view| Some((view, self.refusal(view)?)));
        let mut refused_now = BTreeSet::new();
        for (view, why) in refused {
            if !known.contains(&view.id) {
                let (node, address) = (&view.id, &view.address);
                tracing::error!(%node, address, "a node is not used: {why}; does it belong to this cluster?");
            }
            refused_now.insert(view.id.clone());
        }
        *known = refused_now;
    }

    fn update(&self, nodes: Vec<NodeView>) {
        self.warn(&nodes);
        let mut table = self.table();
        let mut before = std::mem::take(&mut *table);
        for view in nodes.into_iter().filter(|view| view.id != self.me) {
            let Ok(address) = of_node(&view.address, &self.allow) else { continue };
            let peer = match before.remove(&view.id) {
                Some(peer) if peer.view.renewed_at == view.renewed_at => Peer { view, address, ..peer },
                known => {
                    let now = Instant::now();
                    let since = known.as_ref().map_or(now, |peer| peer.since);
                    let (asked, silent) = known.map(|peer| (peer.asked, peer.silent)).unwrap_or_default();
                    Peer { view, address, since, renewed: now, sent: 0, asked, silent }
                }
            };
            table.insert(peer.view.id.clone(), peer);
        }
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<NodeId, Peer>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peer {
    fn takes_sessions(&self) -> bool {
        self.view.state != NodeState::Draining && self.is_fresh()
    }

    fn is_fresh(&self) -> bool {
        self.renewed.elapsed() < STALE
    }

    /// Returns the question to the peer that is under way, or asks a new one.
    fn ask(&mut self) -> Shared<BoxFuture<'static, bool>> {
        if let Some(asked) = self.asked.as_ref().filter(|asked| asked.peek().is_none()) {
            return asked.clone();
        }
        let question = time::timeout(PATIENCE, ask(self.address)).map(|asked| asked.is_ok_and(|asked| asked.is_ok()));
        self.asked.insert(question.boxed().shared()).clone()
    }
}

async fn ask(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /livez HTTP/1.0\r\n\r\n").await?;
    stream.read_u8().await.map(drop)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn view(id: &str, sessions: u64, renewed: i64) -> NodeView {
        NodeView {
            id: id.parse().unwrap(),
            address: format!("127.0.0.1:{}", 9000 + id.len()),
            state: NodeState::Ready,
            sessions,
            accepts: 100,
            renewed_at: Some(Timestamp::from_second(renewed).unwrap()),
            version: String::new(),
            started_at: Timestamp::UNIX_EPOCH,
            partitions: None,
            foreign: 0,
            refused: None,
        }
    }

    /// Returns the peers of a node that allows this network.
    fn peers(allow: &str) -> Peers {
        Peers::new("me".parse().unwrap(), vec![allow.parse().unwrap()])
    }

    #[test]
    fn a_node_outside_of_the_allowed_networks_gets_nothing_and_is_marked() {
        let peers = peers("127.0.0.0/8");
        let outside = NodeView { address: "203.0.113.7:9000".into(), ..view("n1", 0, 1) };
        let mapped = NodeView { address: "[::ffff:127.0.0.1]:9005".into(), ..view("node2", 5, 1) };
        let mut nodes = vec![NodeView { address: "10.0.0.1:9000".into(), ..view("me", 9, 1) }, outside, mapped];
        peers.update(nodes.clone());
        let candidates: Vec<_> = peers.candidates().iter().map(|candidate| candidate.address.to_string()).collect();
        assert_eq!(candidates, ["127.0.0.1:9005"]);
        assert_eq!((peers.states().len(), peers.sessions(), peers.accept()), (1, 5, 100));
        peers.mark(&mut nodes);
        let marks: Vec<_> = nodes.iter().map(|node| node.refused.as_deref()).collect();
        assert_eq!(marks, [None, Some("its address is in no network of --allow"), None]);
    }

    #[test]
    fn a_node_that_takes_no_sessions_is_the_last_choice() {
        let peers = peers("127.0.0.0/8");
        peers.update(vec![NodeView { accepts: 0, ..view("n1", 0, 1) }, view("node2", 5, 1)]);
        let leaving: Vec<_> = peers.candidates().iter().map(|candidate| candidate.leaving).collect();
        assert_eq!(leaving, [true, false]);
    }

    #[test]
    fn what_was_sent_counts_until_the_lease_has_it() {
        let peers = peers("127.0.0.0/8");
        peers.update(vec![view("me", 9, 1), view("n1", 5, 1), view("node2", 5, 1)]);
        peers.sent_to(([127, 0, 0, 1], 9002).into());
        let counts = || peers.candidates().iter().map(|candidate| candidate.sessions).collect::<Vec<_>>();
        assert_eq!(counts(), [7, 5], "two nodes send to the first");
        peers.update(vec![view("n1", 5, 1), view("node2", 5, 1)]);
        assert_eq!(counts(), [7, 5], "the same lease, read again");
        peers.update(vec![view("n1", 6, 2), view("node2", 5, 1)]);
        assert_eq!(counts(), [6, 5]);
        assert_eq!(peers.accept(), 200);
    }

    #[tokio::test]
    async fn one_that_hangs_is_found_out_and_passed_over() {
        // The kernel accepts the connection into the backlog, and nobody answers.
        let hung = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = hung.local_addr().unwrap();
        let peers = peers("127.0.0.0/8");
        peers.update(vec![NodeView { address: address.to_string(), ..view("n1", 0, 1) }]);
        assert!(!peers.answers(address).await);
        let began = Instant::now();
        assert!(!peers.answers(address).await);
        assert!(began.elapsed() < PATIENCE, "and is passed over for a while");
    }
}
