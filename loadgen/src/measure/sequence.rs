//! Whether messages arrived in their order. Two messages have an order only if the server accepted the one before
//! the other was sent: an open loop sends several messages at the same time, and the server may accept those in any
//! order.

use std::collections::VecDeque;

use crate::clock::Nanos;

/// How many of the latest messages are remembered: at most so many are found to have overtaken another.
const REMEMBERED: usize = 64;

/// The messages that one terminal has received in one stream. A terminal has two streams: messages for all, and
/// messages for this terminal alone.
#[derive(Debug, Default)]
pub struct SequenceCheck {
    /// When each of the last [`REMEMBERED`] messages was sent, in the order of arrival.
    came: VecDeque<Nanos>,
    /// The latest time at which any message that arrived was sent.
    latest: Nanos,
}

impl SequenceCheck {
    /// Adds a message and returns how many messages arrived before it although they were sent after it was accepted, at most [`REMEMBERED`]. `accepted` is
    /// [`Nanos::MAX`] for a message that the server did not say to have accepted: it has no order.
    pub fn overtaken(&mut self, sent: Nanos, accepted: Nanos) -> u64 {
        // The search is skipped where no message that arrived was sent after this one was accepted, which is almost
        // always.
        let overtaken = match self.latest > accepted {
            // The latest of all may have been forgotten.
            true => self.came.iter().filter(|other| **other > accepted).count().max(1) as u64,
            false => 0,
        };
        if self.came.len() == REMEMBERED {
            self.came.pop_front();
        }
        self.came.push_back(sent);
        self.latest = self.latest.max(sent);
        overtaken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_message_sent_after_the_other_was_accepted_has_an_order() {
        let mut order = SequenceCheck::default();
        // Sent at 10 and at 12, both accepted at 15: either may arrive first.
        assert_eq!((order.overtaken(12, 15), order.overtaken(10, 15)), (0, 0));
        // Sent at 20 and 30, accepted at 25 and 35: these have an order.
        assert_eq!((order.overtaken(30, 35), order.overtaken(40, 45), order.overtaken(20, 25)), (0, 0, 2));
        // Sent at 27, and answered with 504.
        assert_eq!(order.overtaken(27, Nanos::MAX), 0);
    }
}
