//! A session, from the upgraded connection to its end. Before the hello it is a [`Visitor`], known to nobody; after it a
//! [`Member`], in the lane of its shard, the hub and the registry. Plain terminals are members at once.
//!
//! A session enters its lane and the hub first, held, and registers after ([`join`]): a command that is accepted before is found by
//! registering, one that is accepted after is waiting in the lane, and none is sent before the welcome.

mod farewell;
mod join;
mod member;
mod pace;
mod visitor;

use std::rc::Rc;

use muster_protocol::{SessionId, api::Protocol};
use uuid::Uuid;

pub use self::{farewell::FAREWELL, pace::Pace};
use self::{member::Member, visitor::Visitor};
use crate::{end::End, fanout::Arrival, shard::Shard};

/// Runs a session to its end.
pub async fn run(arrival: Box<Arrival>, shard: Rc<Shard>) {
    // Boxed, so that what only the beginning needs is not kept for as long as the session lasts.
    if let Some((mut member, begun)) = Box::pin(begin(arrival, shard)).await {
        let end = match begun {
            Ok(()) => member.serve().await,
            Err(end) => end,
        };
        Box::pin(member.leave(end)).await;
    }
}

/// A session that has begun, or must end at once; none if the connection never said who it is.
async fn begin(arrival: Box<Arrival>, shard: Rc<Shard>) -> Option<(Member, Result<(), End>)> {
    let session = SessionId(Uuid::now_v7());
    let protocol = arrival.protocol;
    let mut visitor = Visitor::new(*arrival, shard).ok()?;
    let hello = match protocol {
        Protocol::Plain => None,
        Protocol::V1 => match visitor.greet().await {
            Ok(hello) => Some(hello),
            Err(end) => return visitor.refuse(end).await,
        },
    };
    let mut member = visitor.enter(session);
    member.take_seat().await;
    let begun = member.join(hello).await;
    Some((member, begun))
}
