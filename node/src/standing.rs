//! How a node stands towards new sessions. Set by [`serve`](crate::serve) alone, and read by handshakes, by whoever asks whether
//! the node is ready, and by the lease that tells the others. Always: it only moves on, from ready to leaving to draining.

use std::sync::atomic::{AtomicU8, Ordering};

use muster_protocol::api::NodeState;

/// A node begins ready.
#[derive(Debug, Default)]
pub struct Standing(AtomicU8);

impl Standing {
    /// Moves on; never back.
    pub fn advance(&self, state: NodeState) {
        self.0.fetch_max(rank(state), Ordering::Relaxed);
    }

    /// Where it has come to.
    pub fn state(&self) -> NodeState {
        let rank = self.0.load(Ordering::Relaxed);
        if rank == self::rank(NodeState::Ready) {
            NodeState::Ready
        } else if rank == self::rank(NodeState::Leaving) {
            NodeState::Leaving
        } else {
            NodeState::Draining
        }
    }

    /// Whether it takes no new sessions.
    pub fn drains(&self) -> bool {
        self.state() == NodeState::Draining
    }
}

fn rank(state: NodeState) -> u8 {
    state as u8
}
