//! Commands that wait their share of a stagger before they are handed out. They outlive a session, but not the program: until it is
//! handed out a command is not acknowledged, and comes again.

use std::time::Instant;

use muster_protocol::frame::Command;

/// What waits; each command once.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Vec<(Instant, Command, Instant)>);

impl Waiting {
    /// A command that was read at `received_at` waits until `due`; one that waits already goes on waiting.
    pub(crate) fn push(&mut self, due: Instant, command: Command, received_at: Instant) {
        if self.0.iter().all(|(_, waiting, _)| waiting.id != command.id) {
            self.0.push((due, command, received_at));
        }
    }

    /// When the next is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.iter().map(|(due, ..)| *due).min()
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One that is due now, and when it was read.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<(Command, Instant)> {
        let index = self.0.iter().position(|(due, ..)| *due <= now)?;
        let (_, command, received_at) = self.0.remove(index);
        Some((command, received_at))
    }
}
