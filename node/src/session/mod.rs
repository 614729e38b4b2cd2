//! A session, from the upgraded connection to its end. Before the hello it is a [`Visitor`], known to nobody; after it a
//! [`Member`], in the lane of its shard, the hub and the registry. Plain terminals are members at once.
//!
//! Entering the lane and sending the welcome happen without an await between them: no command can overtake the welcome, and
//! none that is published after the registry knows the session can miss it.

mod member;
mod visitor;

use std::rc::Rc;

use muster_protocol::{SessionId, api::Protocol};
use uuid::Uuid;

use self::{member::Member, visitor::Visitor};
use crate::{fanout::Arrival, shard::Shard};

/// Runs a session to its end.
pub async fn run(arrival: Box<Arrival>, shard: Rc<Shard>) {
    // Boxed, so that what only the beginning needs is not kept for as long as the session lasts.
    if let Some(mut member) = Box::pin(begin(arrival, shard)).await {
        let end = member.serve().await;
        Box::pin(member.leave(end)).await;
    }
}

async fn begin(arrival: Box<Arrival>, shard: Rc<Shard>) -> Option<Member> {
    let session = SessionId(Uuid::now_v7());
    let protocol = arrival.protocol;
    let visitor = Visitor::new(*arrival, shard.clone()).ok()?;
    let member = match protocol {
        Protocol::Plain => visitor.enter(session),
        Protocol::V1 => visitor.greet(session).await?,
    };
    member.register().await;
    Some(member)
}
