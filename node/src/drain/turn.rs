//! Turns: which of several stopping nodes may drain now.
//!
//! A restart of the whole cluster often tells all nodes to stop at once. If all drained at once, no node would be left
//! to take the sessions. So a node that is told to stop goes on serving until enough other nodes stay.
//! [`serve`](crate::serve) calls [`wait`] before the node drains.
//!
//! Invariant: of the nodes that were told to stop together, one goes on serving until another node is back, or until
//! `patience` is over. The nodes agree without a lock. Each node first publishes that it is leaving, and looks at the
//! others only a while later. So of two nodes that were told to stop at the same time, at least one sees that the other
//! is leaving.

use std::time::{Duration, Instant};

use muster_protocol::{NodeId, api::NodeState};
use tokio::time;

use crate::{cluster::Peers, shard::Shared};

/// How long a node waits between publishing that it is leaving and looking at the others, and between two looks. It
/// takes less time to write a lease.
const LOOK: Duration = Duration::from_millis(500);
/// A restarted node counts as a node that stays after this time. A proxy that found the node gone tries it again after
/// 5 s. The 5 s begin when the proxy gives up connecting; that takes 1 s if the node's address goes away with its
/// container. The proxy's clock counts whole seconds, which adds up to 1 s.
const STAYS_AFTER: Duration = Duration::from_secs(8);

/// Waits until this node may drain, for at most `patience`. Does not wait if the node is alone, if the cluster holds no
/// session, or if the leases can't be read.
pub async fn wait(shared: &Shared, peers: &Peers, patience: Duration) {
    let (backplane, hub) = (&*shared.backplane, &shared.hub);
    let began = Instant::now();
    if peers.look(backplane).await.is_err() || peers.states().is_empty() || hub.len() as u64 + peers.sessions() == 0 {
        return;
    }
    shared.lifecycle.advance(NodeState::Leaving);
    backplane.announce().await;
    let mut most = 0;
    while began.elapsed() < patience {
        time::sleep(LOOK.min(patience.saturating_sub(began.elapsed()))).await;
        if peers.look(backplane).await.is_err() {
            break;
        }
        let others = peers.states();
        most = most.max(others.len());
        if may_drain(backplane.node(), &others, most - others.len()) {
            break;
        }
    }
    tracing::info!("the turn to drain came after {:.1} s", began.elapsed().as_secs_f32());
}

/// Returns whether this leaving node may drain. `others` are the other nodes, each with its state and for how long this
/// node has seen it; `away` is the number of nodes that have gone since this node began to wait.
///
/// A node may begin to drain while at least as many nodes stay as drain. If no node stays because all are leaving, one
/// node drains, and the next only once that node is back. So a session that is sent away a second time finds a node
/// that stays. Of the nodes that wait, the first by id goes.
fn may_drain(me: &NodeId, others: &[(NodeId, NodeState, Duration)], away: usize) -> bool {
    let count = |state| others.iter().filter(|other| other.1 == state).count();
    let first = !others.iter().any(|(id, state, _)| *state == NodeState::Leaving && id < me);
    let staying = others.iter().filter(|(_, state, seen)| *state == NodeState::Ready && *seen >= STAYS_AFTER).count();
    let enough_stay = match staying {
        // A node that is just back (`Ready`) will soon count as one that stays, so this node waits for it.
        0 => count(NodeState::Leaving) > 0 && count(NodeState::Draining) + count(NodeState::Ready) + away == 0,
        staying => staying >= count(NodeState::Draining),
    };
    first && enough_stay
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether the node `m` may drain beside `others`. Each is given by its id and the first letter of its
    /// state; `n` means a ready node that is new.
    fn beside(others: &str) -> bool {
        beside_less(others, 0)
    }

    /// Returns the same as [`beside`], with so many nodes away.
    fn beside_less(others: &str, away: usize) -> bool {
        let state = |letter: &str| match letter {
            "n" => (NodeState::Ready, Duration::ZERO),
            "r" => (NodeState::Ready, STAYS_AFTER),
            "l" => (NodeState::Leaving, STAYS_AFTER),
            _ => (NodeState::Draining, STAYS_AFTER),
        };
        let other = |other: &str| {
            let (state, seen) = state(&other[1..]);
            (other[..1].parse().unwrap(), state, seen)
        };
        let others = others.split(' ').map(other);
        may_drain(&"m".parse().unwrap(), &others.collect::<Vec<_>>(), away)
    }

    #[test]
    fn one_among_those_that_stay_goes_at_once() {
        assert!(beside("ar br"));
        assert!(beside("ar bd"));
        assert!(!beside("ar bd cd"), "as many as stay are on their way");
    }

    #[test]
    fn of_all_that_leave_one_goes_and_the_last_waits_until_someone_is_back() {
        assert!(beside("nl ol"));
        assert!(!beside("al nl"), "the first goes first");
        assert!(!beside("ad nl") && !beside_less("nl", 1), "and is back before another goes");
        assert!(!beside("ad"), "and the last stays");
        assert!(!beside("ad bd"));
        assert!(!beside("an") && !beside("an nl"), "until one is back and known to be");
        assert!(beside("ar"));
        assert!(!beside("ar bl"), "even then in turn");
    }
}
