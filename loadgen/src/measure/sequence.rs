//! Whether messages arrived in their order. Two messages have an order only if the server accepted the one before
//! the other was sent: an open loop sends several messages at the same time, and the server may accept those in any
//! order.

use std::collections::VecDeque;

use crate::clock::Nanos;

/// How many of the latest messages are remembered. So one message is found to be overtaken by at most so many others.
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
    /// Adds a message. Returns how many messages arrived before it although they were sent after the server accepted
    /// it; at most [`REMEMBERED`]. `accepted` is [`Nanos::MAX`] if the server did not say that it accepted the message:
    /// such a message has no order.
    pub fn overtaken(&mut self, sent: Nanos, accepted: Nanos) -> u64 {
        // The search is skipped if no message that arrived was sent after this one was accepted. That is almost always
        // so.
        let overtaken = match self.latest > accepted {
            // At least one: the message that was sent last may be forgotten.
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
