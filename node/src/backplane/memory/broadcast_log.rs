//! The log of commands that terminals find when they join.

use std::collections::VecDeque;

use muster_protocol::CommandId;

/// Commands that are in no backlog and can be sent again.
#[derive(Debug, Default)]
pub(super) struct BroadcastLog {
    /// By sequence number, oldest first.
    pub(super) entries: VecDeque<(u64, CommandId)>,
    /// The sequence number up to which commands were removed that a terminal could still ask for.
    pub(super) lost: u64,
    /// The sequence number of the last broadcast.
    pub(super) last: u64,
}
