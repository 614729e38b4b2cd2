//! Tickets of this partition (ticket.lua).

use super::{StorePartition, reading::ScriptAnswer};
use crate::backplane::{
    BackplaneError, TicketHash,
    redis::refusal::unsure,
    rules::{TICKET_TTL, TICKETS_MAX},
};

impl StorePartition {
    /// Stores a ticket for 30 s. Returns false if 1,000 are stored that have not expired.
    ///
    /// # Errors
    /// [`BackplaneError::Unsure`] if Redis does not answer.
    pub async fn put_ticket(&self, ticket: &TicketHash, stands_for: &str) -> Result<bool, BackplaneError> {
        let (ttl, most) = (TICKET_TTL.as_millis() as u64, TICKETS_MAX);
        let answer = self.ticket(&["put", ticket.as_str(), stands_for, &ttl.to_string(), &most.to_string()]).await?;
        Ok(answer.outcome() == "ok")
    }

    /// Takes a ticket out of the store, and returns what it stands for. None if it was taken before, has expired, or
    /// never was.
    ///
    /// # Errors
    /// As [`put_ticket`](Self::put_ticket): the ticket may be gone.
    pub async fn take_ticket(&self, ticket: &TicketHash) -> Result<Option<String>, BackplaneError> {
        let mut answer = self.ticket(&["take", ticket.as_str()]).await?;
        if answer.outcome() == "ok" { answer.next().map(Some) } else { Ok(None) }
    }

    async fn ticket(&self, arguments: &[&str]) -> Result<ScriptAnswer, BackplaneError> {
        let mut call = self.scripts.ticket(&self.keys);
        call.arg(arguments);
        let answer = call.invoke_async(&mut self.connection.clone()).await.map_err(unsure)?;
        ScriptAnswer::new("ticket.lua", answer)
    }
}
