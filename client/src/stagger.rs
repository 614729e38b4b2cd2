//! Commands that wait for their share of a stagger before the listener gets them. They outlive a session but not the
//! program: the terminal acknowledges a command only when it hands the command over, so the node sends it again after a
//! restart.

use std::time::Instant;

use muster_protocol::frame::Command;

/// How many commands wait at most.
const MAX: usize = 4096;

/// The waiting commands, each once; at most [`MAX`].
#[derive(Debug, Default)]
pub(crate) struct StaggerQueue(Vec<Staggered>);

#[derive(Debug)]
struct Staggered {
    due: Instant,
    command: Command,
    received_at: Instant,
}

impl StaggerQueue {
    /// Adds a command that was read at `received_at` and is due at `due`. A command that waits already keeps its time.
    /// Returns the command if there is no room for it.
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

    /// Returns when the next command is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.0.iter().map(|staggered| staggered.due).min()
    }

    /// Returns whether no command waits.
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
