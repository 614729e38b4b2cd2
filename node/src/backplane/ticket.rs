//! Tickets: a ticket admits an operator's web page once, where the page can't send a key.

use std::fmt;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

/// The hash of a ticket. The store has only the hash, so whoever reads the store learns no ticket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TicketHash(String);

impl TicketHash {
    /// Returns the hash of a ticket that was given out.
    pub fn of(ticket: &str) -> Self {
        Self(HEXLOWER.encode(digest(&SHA256, ticket.as_bytes()).as_ref()))
    }

    /// Returns the hash as 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TicketHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
