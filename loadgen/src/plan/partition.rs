//! The part of a plan that one process plays.

use muster_protocol::TerminalId;

/// The part of the plan that this process plays. Several processes can share a plan; each takes every `of`-th
/// terminal and message.
#[derive(Debug, Clone, Copy)]
pub struct Partition {
    /// The run's random id, which is part of each message and of each terminal's id.
    pub run: u32,
    /// The number of processes that share the plan; at least 1.
    pub of: usize,
    /// This process's index among them, from 0: it plays each terminal and message whose number modulo `of` equals
    /// `rest`.
    pub rest: usize,
}

impl Partition {
    /// Returns true if this process plays the terminal or message of this number.
    pub fn has(&self, number: usize) -> bool {
        number % self.of == self.rest
    }

    /// Returns the id of the terminal with this number.
    pub fn id(&self, number: usize) -> TerminalId {
        format!("load-{:08x}-{number}", self.run).parse().expect("letters, digits and dashes")
    }
}
