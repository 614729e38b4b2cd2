//! The lifecycle of a node: ready, then leaving, then draining. A node goes back, to ready, only when an operator takes a drain back. What it
//! has too little of meanwhile comes and goes.
//!
//! [`serve`](crate::serve) alone changes the state. Handshakes read it, `/readyz` reads it, and the node's lease shows it to the others.

use muster_protocol::api::{NodeState, NodeView};

use super::Shortages;
use crate::sync::atomic::{AtomicU8, Ordering};

/// The state of this node. The default is [`NodeState::Ready`], and that nothing is short.
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

    /// Makes the node ready again, since the drain was taken back. The caller has ended what advances the state.
    pub fn go_back(&self) {
        self.state.store(NodeState::Ready as u8, Ordering::Relaxed);
    }

    /// The present state.
    pub fn state(&self) -> NodeState {
        let number = self.state.load(Ordering::Relaxed);
        let states = [NodeState::Ready, NodeState::Leaving];
        states.into_iter().find(|state| *state as u8 == number).unwrap_or(NodeState::Draining)
    }

    /// Whether the node takes no new sessions.
    pub fn is_draining(&self) -> bool {
        self.state() == NodeState::Draining
    }

    /// What this node, which is `node` as it started, tells of its state now. It accepts no handshakes while it takes no sessions.
    pub fn told_by(&self, node: &NodeView) -> NodeView {
        let accepts = if self.shortages.refuse_sessions().is_some() { 0 } else { node.accepts };
        NodeView { state: self.state(), accepts, ..node.clone() }
    }
}
