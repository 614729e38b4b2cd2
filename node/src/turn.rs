//! Whose turn it is to go. A restart of the whole cluster often tells all nodes at once to stop; if all did, nobody would be left to
//! take what they send away. So a node that is told to stop goes on serving until enough others stay. Called by
//! [`serve`](crate::serve) before the node drains.
//!
//! Always: of nodes that were told to stop together, one serves until another is back, or until its patience ends. They agree
//! without a lock: each first tells that it is leaving and looks at the others only a while later, so that of two that were told
//! at the same time at least one knows of the other.

use std::time::{Duration, Instant};

use muster_protocol::{NodeId, api::NodeState};
use tokio::time;

use crate::{backplane::Backplane, hub::Hub, peers::Peers};

/// How long after it said that it is leaving a node looks, and how often then: longer than a lease takes to be written.
const LOOK: Duration = Duration::from_millis(500);
/// Only then does a node that is back count as one that stays. A proxy that finds it gone asks it again after 5 s: from when it gave
/// up on a connect, which takes 1 s where an address goes with its container, and by a clock of whole seconds, which adds another.
const SETTLED: Duration = Duration::from_secs(8);

/// Waits until this node may drain, but not longer than `patience`. One that is alone, or whose cluster holds no session, or that
/// can't see the others, does not wait.
pub async fn wait(backplane: &Backplane, hub: &Hub, peers: &Peers, patience: Duration) {
    let began = Instant::now();
    if peers.look(backplane).await.is_err() || peers.states().is_empty() || hub.len() as u64 + peers.sessions() == 0 {
        return;
    }
    hub.standing.advance(NodeState::Leaving);
    backplane.announce().await;
    let mut most = 0;
    while began.elapsed() < patience {
        time::sleep(LOOK.min(patience.saturating_sub(began.elapsed()))).await;
        if peers.look(backplane).await.is_err() {
            break;
        }
        let others = peers.states();
        most = most.max(others.len());
        if comes(backplane.node(), &others, most - others.len()) {
            break;
        }
    }
    tracing::info!("the turn to drain came after {:.1} s", began.elapsed().as_secs_f32());
}

/// Whether it is this leaving node's turn, given how the others stand, and how many are `away` that were there. At most as many drain
/// as stay; and if all are leaving, one goes, and nobody else before it is back: so what is sent away twice meets a node that stays.
/// Of those that wait it is always the first by its id.
fn comes(me: &NodeId, others: &[(NodeId, NodeState, Duration)], away: usize) -> bool {
    let count = |state| others.iter().filter(|other| other.1 == state).count();
    let first = !others.iter().any(|(id, state, _)| *state == NodeState::Leaving && id < me);
    let staying = others.iter().filter(|(_, state, seen)| *state == NodeState::Ready && *seen >= SETTLED).count();
    let enough_stay = match staying {
        // One that is just back will soon be one that stays, and is waited for.
        0 => count(NodeState::Leaving) > 0 && count(NodeState::Draining) + count(NodeState::Ready) + away == 0,
        staying => staying >= count(NodeState::Draining),
    };
    first && enough_stay
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the turn of the node `m` comes beside these, each by its id and the first letter of its state, n if it is new.
    fn beside(others: &str) -> bool {
        beside_less(others, 0)
    }

    /// The same if so many are away.
    fn beside_less(others: &str, away: usize) -> bool {
        let state = |letter: &str| match letter {
            "n" => (NodeState::Ready, Duration::ZERO),
            "r" => (NodeState::Ready, SETTLED),
            "l" => (NodeState::Leaving, SETTLED),
            _ => (NodeState::Draining, SETTLED),
        };
        let other = |other: &str| {
            let (state, seen) = state(&other[1..]);
            (other[..1].parse().unwrap(), state, seen)
        };
        let others = others.split(' ').map(other);
        comes(&"m".parse().unwrap(), &others.collect::<Vec<_>>(), away)
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
