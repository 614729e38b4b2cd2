//! Tickets, each in the partition that follows from its hash. So every node finds a ticket that another gave out.

use async_trait::async_trait;

use super::{RedisBackplane, member::PartitionMember};
use crate::backplane::{BackplaneError, TicketHash, TicketStore};

#[async_trait]
impl TicketStore for RedisBackplane {
    async fn put_ticket(&self, ticket: &TicketHash, stands_for: &str) -> Result<bool, BackplaneError> {
        let member = self.member_of_ticket(ticket);
        member.ask(member.store.put_ticket(ticket, stands_for)).await
    }

    async fn take_ticket(&self, ticket: &TicketHash) -> Result<Option<String>, BackplaneError> {
        let member = self.member_of_ticket(ticket);
        member.ask(member.store.take_ticket(ticket)).await
    }
}

impl RedisBackplane {
    fn member_of_ticket(&self, ticket: &TicketHash) -> &PartitionMember {
        self.member(self.partitions.of_text(ticket.as_str()))
    }
}
