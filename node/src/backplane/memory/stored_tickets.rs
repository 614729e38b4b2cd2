//! The tickets that are stored.

use jiff::Timestamp;
use rustc_hash::FxHashMap;

use crate::backplane::{
    TicketHash,
    rules::{TICKET_TTL, TICKETS_MAX},
};

/// The tickets that were not taken: when each expires, and what it stands for.
#[derive(Debug, Default)]
pub(super) struct Tickets(FxHashMap<TicketHash, (Timestamp, String)>);

impl Tickets {
    /// Stores a ticket. False if there is no room for it.
    pub(super) fn put(&mut self, ticket: &TicketHash, stands_for: &str, now: Timestamp) -> bool {
        if self.0.len() >= TICKETS_MAX {
            self.0.retain(|_, (expires, _)| *expires > now);
        }
        let has_room = self.0.len() < TICKETS_MAX;
        if has_room {
            self.0.insert(ticket.clone(), (now + TICKET_TTL, stands_for.to_owned()));
        }
        has_room
    }

    /// Takes a ticket that has not expired.
    pub(super) fn take(&mut self, ticket: &TicketHash, now: Timestamp) -> Option<String> {
        let (expires, stands_for) = self.0.remove(ticket)?;
        (expires > now).then_some(stands_for)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_once_and_for_a_while_and_the_tickets_are_bounded() {
        let (mut tickets, now) = (Tickets::default(), Timestamp::UNIX_EPOCH);
        let ticket = |n: usize| TicketHash::of(&n.to_string());
        assert!((0..TICKETS_MAX).all(|n| tickets.put(&ticket(n), "ann", now)));
        assert!(!tickets.put(&ticket(TICKETS_MAX), "ann", now));
        assert_eq!(tickets.take(&ticket(0), now).as_deref(), Some("ann"));
        assert_eq!(tickets.take(&ticket(0), now), None);
        assert_eq!(tickets.take(&ticket(1), now + TICKET_TTL), None, "it has expired");
        assert!(tickets.put(&ticket(TICKETS_MAX), "bob", now + TICKET_TTL));
        assert_eq!(tickets.0.len(), TICKETS_MAX - 1);
        (0..2).for_each(|n| assert!(tickets.put(&ticket(TICKETS_MAX + 1 + n), "eve", now + TICKET_TTL)));
        assert_eq!(tickets.0.len(), 3, "those that had expired made room");
    }
}
