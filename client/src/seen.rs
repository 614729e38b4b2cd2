//! The last commands, so that one which comes twice is run once. Kept across sessions: a node repeats what it has no ack for.

use std::collections::VecDeque;

use muster_protocol::CommandId;

/// More than a node can have in flight to one terminal; 4 KiB, which a scan passes faster than a hash table is found.
const REMEMBERED: usize = 256;

/// The ids of the last 256 commands, newest at the back.
#[derive(Debug, Default)]
pub(crate) struct Seen(VecDeque<CommandId>);

impl Seen {
    /// Whether this command is new; from now on it is not.
    pub(crate) fn insert(&mut self, id: CommandId) -> bool {
        if self.0.iter().rev().any(|seen| *seen == id) {
            return false;
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(id);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> CommandId {
        format!("00000000-0000-7000-8000-{n:012x}").parse().unwrap()
    }

    #[test]
    fn a_command_is_new_once() {
        let mut seen = Seen::default();
        assert!(seen.insert(id(1)) && seen.insert(id(2)));
        assert!(!seen.insert(id(1)) && !seen.insert(id(2)));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_is_forgotten_first() {
        let mut seen = Seen::default();
        assert!((0..=REMEMBERED).all(|n| seen.insert(id(n))));
        assert_eq!(seen.0.len(), REMEMBERED);
        assert!(!seen.insert(id(1)), "the second oldest is still known");
        assert!(seen.insert(id(0)), "the oldest is not");
    }
}
