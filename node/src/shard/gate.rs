//! The gate of a shard: it drops commands while the node may not act as the owner of its sessions.

use std::{cell::Cell, sync::Arc};

use crate::fence::Fence;

/// Whether a shard may send commands.
pub struct CommandGate {
    fence: Arc<Fence>,
    /// Set when a command was dropped because the fence had expired. Until all sessions have been asked to register
    /// again, every later command is dropped too: it must not overtake the one that was dropped.
    is_shut: Cell<bool>,
}

impl CommandGate {
    /// A gate that opens and shuts with `fence`.
    pub fn new(fence: Arc<Fence>) -> Self {
        Self { fence, is_shut: Cell::new(false) }
    }

    /// Whether the next command may be sent. The caller drops it otherwise.
    pub fn is_open(&self) -> bool {
        if !self.fence.holds() {
            self.is_shut.set(true);
        }
        !self.is_shut.get()
    }

    /// Opens the gate again. The caller asks all sessions of the shard to register again, which gives them what was dropped.
    pub fn reopen(&self) {
        self.is_shut.set(false);
    }
}
