//! The gates of a shard, one for each partition. A gate is shut while the node may not act as the owner of the
//! partition's sessions; the shard then drops the partition's commands.

use std::{cell::Cell, sync::Arc};

use crate::fence::Fence;

/// Whether a shard may send the commands of one partition.
pub struct CommandGate {
    fence: Arc<Fence>,
    /// Set when a command was dropped because the fence had expired. Until the partition's sessions have been asked to
    /// register again, every later command is dropped too: a later command must not overtake a dropped one.
    is_shut: Cell<bool>,
}

impl CommandGate {
    /// Returns a gate that opens and shuts with `fence`.
    pub fn new(fence: Arc<Fence>) -> Self {
        Self { fence, is_shut: Cell::new(false) }
    }

    /// Returns whether the next command may be sent. If not, the caller must drop it.
    pub fn is_open(&self) -> bool {
        if !self.fence.holds() {
            self.is_shut.set(true);
        }
        !self.is_shut.get()
    }

    /// Opens the gate again. The caller asks the shard's sessions of this partition to register again, which gives them
    /// what was dropped.
    pub fn reopen(&self) {
        self.is_shut.set(false);
    }
}
