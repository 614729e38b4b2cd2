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
        self.0.fetch_max(state as u8, Ordering::Relaxed);
    }

    /// Where it has come to.
    pub fn state(&self) -> NodeState {
        let reached = self.0.load(Ordering::Relaxed);
        let states = [NodeState::Ready, NodeState::Leaving];
        states.into_iter().find(|state| *state as u8 == reached).unwrap_or(NodeState::Draining)
    }

    /// Whether it takes no new sessions.
    pub fn drains(&self) -> bool {
        self.state() == NodeState::Draining
    }
}
