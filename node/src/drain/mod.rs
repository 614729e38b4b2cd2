//! Draining: sends sessions away evenly over a time, and has their terminals come back no faster than the other nodes
//! admit them.
//!
//! ```text
//!   drain       all sessions, when the node stops
//!   rebalance   a surplus, when the other nodes hold fewer
//!   retire      the sessions of one proxy worker that has lingered too long
//!   schedule    when each session is closed, and when its terminal comes back
//!   turn        which of several stopping nodes may drain first
//!   leave       whether the node is to drain, and whether it ends then
//! ```

mod leave;
mod schedule;
pub mod turn;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use muster_protocol::{
    NodeId,
    api::{NodeState, NodeView},
    inbox::DrainRequest,
};
use tokio::{task::JoinSet, time};

pub use self::leave::LeaveWish;
use self::schedule::{SLICE, Schedule};
use crate::{cluster::Peers, end::SessionEnd, hub::SessionInfo, shard::Shared, sync::mpsc};

/// How long the sessions that were closed last may take to end.
pub const GRACE: Duration = Duration::from_secs(2);
/// A node keeps its sessions if its surplus over the mean is at most this part (1/20) of the mean.
const EVEN: u64 = 20;
/// How many requests may wait to be handled. A request beyond that is dropped with a warning.
pub const ASKED: usize = 64;

/// Handles the requests in `asked` until their sender is dropped and all that was begun is done. Passes requests about
/// all sessions on to `leave`.
pub async fn run(
    shared: Arc<Shared>,
    peers: Arc<Peers>,
    mut asked: mpsc::Receiver<DrainRequest>,
    leave: Arc<LeaveWish>,
) {
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            Some(departure) = asked.recv() => match departure {
                DrainRequest::Drain => leave.drain(false),
                DrainRequest::Hold => leave.drain(true),
                DrainRequest::TakeBack => leave.take_back(),
                DrainRequest::End => leave.end(),
                DrainRequest::Rebalance { sessions, rate } => {
                    under_way.spawn(rebalance(shared.clone(), sessions, rate));
                }
                DrainRequest::Retire { worker, over_ms } => {
                    under_way.spawn(retire(shared.clone(), peers.clone(), worker, Duration::from_millis(over_ms)));
                }
            },
            Some(_) = under_way.join_next() => {}
            else => return,
        }
    }
}

/// Sends all sessions away over the time `over`. Returns the number of sessions that had not ended [`GRACE`] later.
pub async fn drain(shared: &Shared, peers: &Peers, over: Duration) -> usize {
    let addrs = shared.hub.addrs_where(|_| true);
    Schedule::new(addrs.len(), over, peers.accept()).carry_out(&shared.shards, addrs, draining).await;
    let deadline = Instant::now() + GRACE;
    while !shared.hub.is_empty() && Instant::now() < deadline {
        // Also tells sessions whose handshake was under way when the drain began. Telling a session again changes
        // nothing.
        for addr in shared.hub.addrs_where(|_| true) {
            shared.shards.end(addr, draining(SLICE)).await;
        }
        time::sleep(SLICE / 2).await;
    }
    shared.hub.len()
}

async fn rebalance(shared: Arc<Shared>, sessions: u64, rate: f64) {
    let mut addrs = shared.hub.addrs_where(|_| true);
    addrs.truncate(sessions as usize);
    let over = Duration::try_from_secs_f64(addrs.len() as f64 / rate.max(0.1)).unwrap_or(Duration::MAX);
    tracing::info!(sessions = addrs.len(), seconds = over.as_secs(), "sending a surplus away");
    Schedule::new(addrs.len(), over, 0).carry_out(&shared.shards, addrs, |_| SessionEnd::Rebalanced).await;
}

async fn retire(shared: Arc<Shared>, peers: Arc<Peers>, worker: String, over: Duration) {
    let addrs = shared.hub.addrs_where(|info| came_through(info, &worker));
    if addrs.is_empty() {
        return;
    }
    tracing::info!(sessions = addrs.len(), %worker, "sending away what came through a worker that is to go");
    // The terminals come back to all nodes, also to this node. Counting only what the other nodes admit is the careful
    // estimate.
    Schedule::new(addrs.len(), over, peers.accept()).carry_out(&shared.shards, addrs, draining).await;
}

/// `worker` is `HOST/PID`, and the edge of a session is `HOST/PID/GENERATION`.
fn came_through(info: &SessionInfo, worker: &str) -> bool {
    info.edge.as_deref().and_then(|edge| edge.rsplit_once('/')).is_some_and(|(of, _)| of == worker)
}

fn draining(retry: Duration) -> SessionEnd {
    SessionEnd::Draining { retry }
}

/// Returns the surplus of each ready node over the mean number of sessions, for the nodes whose surplus is worth
/// moving.
pub fn surplus(nodes: &[NodeView]) -> BTreeMap<NodeId, u64> {
    let ready: Vec<_> = nodes.iter().filter(|node| node.state == NodeState::Ready).collect();
    let mean = ready.iter().map(|node| node.sessions).sum::<u64>() / ready.len().max(1) as u64;
    let beyond = |node: &&NodeView| (node.id.clone(), node.sessions.saturating_sub(mean));
    ready.iter().map(beyond).filter(|(_, surplus)| *surplus > mean / EVEN).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn only_what_is_clearly_beyond_the_mean_moves() {
        let node = |id: &str, sessions, state| NodeView {
            id: id.parse().unwrap(),
            address: String::new(),
            state,
            sessions,
            accepts: 0,
            renewed_at: None,
            version: String::new(),
            started_at: Timestamp::UNIX_EPOCH,
            partitions: None,
            foreign: 0,
            refused: None,
        };
        let nodes = [
            node("a", 1000, NodeState::Ready),
            node("b", 1010, NodeState::Ready),
            node("c", 0, NodeState::Ready),
            node("d", 5000, NodeState::Draining),
        ];
        assert_eq!(surplus(&nodes), BTreeMap::from([("a".parse().unwrap(), 330), ("b".parse().unwrap(), 340)]));
        assert!(surplus(&nodes[..2]).is_empty() && surplus(&[]).is_empty());
    }
}
