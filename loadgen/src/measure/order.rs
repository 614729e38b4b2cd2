//! Whether messages came in their order. Two messages have an order only if the server had taken the one before the other was sent:
//! what an open loop sends at the same time may be taken either way.

use crate::clock::Nanos;

/// The messages that came to one terminal in one stream, so far.
#[derive(Debug, Default)]
pub struct Order {
    /// When each was sent, in the order they came.
    came: Vec<Nanos>,
    /// The latest of these.
    latest: Nanos,
}

impl Order {
    /// By how many later messages this one was overtaken.
    pub fn overtaken(&mut self, sent: Nanos, accepted: Nanos) -> u64 {
        // Almost always nothing was sent after this one was accepted and came before it.
        let overtaken = match self.latest > accepted {
            true => self.came.iter().filter(|other| **other > accepted).count() as u64,
            false => 0,
        };
        self.came.push(sent);
        self.latest = self.latest.max(sent);
        overtaken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_settled_has_an_order() {
        let mut order = Order::default();
        // Sent at 10 and at 12, both accepted at 15: either may come first.
        assert_eq!((order.overtaken(12, 15), order.overtaken(10, 15)), (0, 0));
        // Sent at 20 and 30, accepted at 25 and 35: an order.
        assert_eq!((order.overtaken(30, 35), order.overtaken(40, 45), order.overtaken(20, 25)), (0, 0, 2));
    }
}
