//! Tickets: what lets an operator's web page in once, where it can send no key.

use std::fmt;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

/// The hash of a ticket, by which it is stored: who reads the store learns no ticket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TicketHash(String);

impl TicketHash {
    /// The hash of a ticket as it was given out.
    pub fn of(ticket: &str) -> Self {
        Self(HEXLOWER.encode(digest(&SHA256, ticket.as_bytes()).as_ref()))
    }

    /// The hash as 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TicketHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
