//! Commands that wait their share of a stagger before they are handed out. They outlive a session, as what was acknowledged must.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

use muster_protocol::frame::Command;

/// What waits, soonest first.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    heap: BinaryHeap<Reverse<(Instant, u64)>>,
    commands: std::collections::HashMap<u64, (Command, Instant)>,
    count: u64,
}

impl Waiting {
    /// A command that was read at `received_at` waits until `due`.
    pub(crate) fn push(&mut self, due: Instant, command: Command, received_at: Instant) {
        self.count += 1;
        self.heap.push(Reverse((due, self.count)));
        self.commands.insert(self.count, (command, received_at));
    }

    /// When the next is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((due, _))| *due)
    }

    /// One that is due now, and when it was read.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<(Command, Instant)> {
        if self.next()? > now {
            return None;
        }
        let Reverse((_, number)) = self.heap.pop()?;
        self.commands.remove(&number)
    }
}
