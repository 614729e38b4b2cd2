//! Tickets in memory.

use async_trait::async_trait;
use jiff::Timestamp;
use rustc_hash::FxHashMap;

use super::MemoryBackplane;
use crate::backplane::{
    BackplaneError, TicketHash, TicketStore,
    rules::{TICKET_TTL, TICKETS_MAX},
};

/// The tickets that were not taken: when each expires, and what it stands for.
#[derive(Debug, Default)]
pub(super) struct Tickets(FxHashMap<TicketHash, (Timestamp, String)>);

#[async_trait]
impl TicketStore for MemoryBackplane {
    async fn put_ticket(&self, ticket: &TicketHash, stands_for: &str) -> Result<bool, BackplaneError> {
        let now = self.clock.now();
        let tickets = &mut self.store().tickets.0;
        if tickets.len() >= TICKETS_MAX {
            tickets.retain(|_, (expires, _)| *expires > now);
        }
        let has_room = tickets.len() < TICKETS_MAX;
        if has_room {
            tickets.insert(ticket.clone(), (now + TICKET_TTL, stands_for.to_owned()));
        }
        Ok(has_room)
    }

    async fn take_ticket(&self, ticket: &TicketHash) -> Result<Option<String>, BackplaneError> {
        let taken = self.store().tickets.0.remove(ticket);
        let now = self.clock.now();
        Ok(taken.filter(|(expires, _)| *expires > now).map(|(_, stands_for)| stands_for))
    }
}
