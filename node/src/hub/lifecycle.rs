//! The lifecycle of a node: ready, then leaving, then draining. A node goes back to ready only when an operator takes a
//! drain back. Shortages come and go in every state.
//!
//! Only [`serve`](crate::serve) and [`drain`](crate::drain) change the state. Handshakes and `/readyz` read the state,
//! and the node's lease shows it to the other nodes.

use muster_protocol::api::{NodeState, NodeView};

use super::Shortages;
use crate::sync::atomic::{AtomicU8, Ordering};

/// The state of this node, and its shortages. By default the node is [`NodeState::Ready`] and has no shortage.
#[derive(Debug, Default)]
pub struct Lifecycle {
    state: AtomicU8,
    /// What the node has too little of now.
    pub shortages: Shortages,
}

impl Lifecycle {
    /// Moves on to `state`. Does nothing if the node is in `state` already, or past it.
    pub fn advance(&self, state: NodeState) {
        self.state.fetch_max(state as u8, Ordering::Relaxed);
    }

    /// Makes the node ready again, because an operator took the drain back. The caller must have stopped whatever
    /// advances the state.
    pub fn go_back(&self) {
        self.state.store(NodeState::Ready as u8, Ordering::Relaxed);
    }

    /// Returns the present state.
    pub fn state(&self) -> NodeState {
        let number = self.state.load(Ordering::Relaxed);
        let states = [NodeState::Ready, NodeState::Leaving];
        states.into_iter().find(|state| *state as u8 == number).unwrap_or(NodeState::Draining)
    }

    /// Returns whether the node takes no new sessions.
    pub fn is_draining(&self) -> bool {
        self.state() == NodeState::Draining
    }

    /// Returns what this node tells the others of itself: `node`, as it was at the start, with the present state. The
    /// node accepts 0 handshakes a second while a shortage keeps it from taking sessions.
    pub fn told_by(&self, node: &NodeView) -> NodeView {
        let accepts = if self.shortages.refuse_sessions().is_some() { 0 } else { node.accepts };
        NodeView { state: self.state(), accepts, ..node.clone() }
    }
}
