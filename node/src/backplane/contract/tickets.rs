//! What a backplane does for tickets.

use async_trait::async_trait;

use crate::backplane::{BackplaneError, TicketHash};

/// Tickets of web pages. A ticket is good once, for [`TICKET_TTL`](crate::backplane::TICKET_TTL), on any node.
#[async_trait]
pub trait TicketStore: Send + Sync {
    /// Stores a ticket and what it stands for. Returns false, and stores nothing, if the partition has 1,000 tickets
    /// that have not expired.
    async fn put_ticket(&self, ticket: &TicketHash, stands_for: &str) -> Result<bool, BackplaneError>;

    /// Takes a ticket out of the store, and returns what it stands for. None if the ticket was taken before, has
    /// expired, or was never given. If several callers take a ticket at once, one gets it.
    async fn take_ticket(&self, ticket: &TicketHash) -> Result<Option<String>, BackplaneError>;
}
