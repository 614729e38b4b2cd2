//! Commands that wait for their share of a stagger before they are handed to the listener. They outlive a session but
//! not the program: a command is acknowledged only when it is handed over, so the node sends it again after a restart.

use std::time::Instant;

use muster_protocol::frame::Command;

/// How many commands wait at most.
const MAX: usize = 4096;

/// The waiting commands, each once. At most 4,096.
#[derive(Debug, Default)]
pub(crate) struct StaggerQueue(Vec<Staggered>);

#[derive(Debug)]
struct Staggered {
    due: Instant,
    command: Command,
    received_at: Instant,
}

impl StaggerQueue {
    /// Adds a command that was read at `received_at` and is due at `due`. One that waits already keeps its time. Returns
    /// the command if there is no room for it.
    pub(crate) fn push(&mut self, due: Instant, command: Command, received_at: Instant) -> Result<(), Command> {
        if self.0.iter().any(|staggered| staggered.command.id == command.id) {
            return Ok(());
        }
        if self.0.len() >= MAX {
            return Err(command);
        }
        self.0.push(Staggered { due, command, received_at });
        Ok(())
    }

    /// When the next command is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.0.iter().map(|staggered| staggered.due).min()
    }

    /// Whether no command waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes a command that is due, and returns it with the time when it was read.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<(Command, Instant)> {
        let index = self.0.iter().position(|staggered| staggered.due <= now)?;
        let Staggered { command, received_at, .. } = self.0.remove(index);
        Some((command, received_at))
    }
}
