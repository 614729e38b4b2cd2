//! Tickets of a node alone.

use async_trait::async_trait;

use super::MemoryBackplane;
use crate::backplane::{BackplaneError, TicketHash, TicketStore};

#[async_trait]
impl TicketStore for MemoryBackplane {
    async fn put_ticket(&self, ticket: &TicketHash, stands_for: &str) -> Result<bool, BackplaneError> {
        Ok(self.store().tickets.put(ticket, stands_for, self.clock.now()))
    }

    async fn take_ticket(&self, ticket: &TicketHash) -> Result<Option<String>, BackplaneError> {
        Ok(self.store().tickets.take(ticket, self.clock.now()))
    }
}
