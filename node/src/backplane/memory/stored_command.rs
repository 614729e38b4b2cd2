//! A command as it is stored in memory: its record, its targets and what they replied.

use jiff::Timestamp;
use muster_protocol::{Payload, api::Protocol};
use rustc_hash::FxHashMap;

use super::targets::Targets;
use crate::backplane::{CommandRecord, rules};

/// A stored command.
#[derive(Debug)]
pub(super) struct StoredCommand {
    /// The command as it was accepted, and whether it was cancelled. The counts in it are not kept up to date.
    pub(super) facts: CommandRecord,
    /// Its place in the order of all commands.
    pub(super) number: u64,
    /// Whether it moves the cursors of terminals.
    pub(super) to_all: bool,
    /// Whether it waits in the backlogs of its targets. The others are found in the log of commands for many.
    pub(super) in_backlogs: bool,
    /// When it may be removed.
    pub(super) forget_at: Timestamp,
    pub(super) targets: Targets,
    /// The last reply of each target, by ordinal.
    pub(super) replies: FxHashMap<u32, Payload>,
    /// The bytes that were taken for it when it was accepted.
    pub(super) bytes: u64,
    /// The bytes of its replies.
    pub(super) replied: u64,
    /// Whether the event `command.done` was written.
    pub(super) told_done: bool,
}

impl StoredCommand {
    /// The command with the number of targets in each state.
    pub(super) fn record(&self) -> CommandRecord {
        CommandRecord { counts: self.targets.counts(), ..self.facts.clone() }
    }

    /// Whether the command may still be sent.
    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        rules::is_live(self.facts.frame.expires_at, self.facts.cancelled, now)
    }

    /// Whether the command is sent to a terminal that joins, if it is live.
    pub(super) fn is_owed(&self, ordinal: u32, protocol: Protocol) -> bool {
        self.targets.state(ordinal).is_some_and(|state| rules::is_resent(state, protocol))
    }
}
