//! The lifecycle of a node: ready, then leaving, then draining. A node never goes back.
//!
//! [`serve`](crate::serve) alone changes it. Handshakes read it, `/readyz` reads it, and the node's lease shows it to the others.

use muster_protocol::api::NodeState;

use crate::sync::atomic::{AtomicU8, Ordering};

/// The state of this node. The default is [`NodeState::Ready`].
#[derive(Debug, Default)]
pub struct Lifecycle(AtomicU8);

impl Lifecycle {
    /// Moves on to `state`. Does nothing if the node is in `state` already, or past it.
    pub fn advance(&self, state: NodeState) {
        self.0.fetch_max(state as u8, Ordering::Relaxed);
    }

    /// The present state.
    pub fn state(&self) -> NodeState {
        let number = self.0.load(Ordering::Relaxed);
        let states = [NodeState::Ready, NodeState::Leaving];
        states.into_iter().find(|state| *state as u8 == number).unwrap_or(NodeState::Draining)
    }

    /// Whether the node takes no new sessions.
    pub fn is_draining(&self) -> bool {
        self.state() == NodeState::Draining
    }
}
