//! A session, from the upgraded connection to its end.
//!
//! ```text
//!   Upgraded ──▶ Handshaking (until the hello) ──▶ Established ──▶ join ──▶ serve ──▶ leave
//! ```
//!
//! Nobody knows a connection in `handshaking`. An `established` session is in the lane of its shard, in the hub
//! and in the registry. A plain terminal sends no hello, so its session is established at once.
//!
//! A session enters its lane and the hub first, held, and registers after that (`join`). A command that was
//! accepted before is found by registering; a command that is accepted after waits in the lane; and no command is
//! sent before the welcome.
//!
//! A session ends when its token expires, unless its terminal sends a newer one (`renewal`).

mod established;
mod farewell;
mod handshaking;
mod join;
mod read_budget;
mod renewal;

use std::rc::Rc;

use muster_protocol::{SessionId, api::Protocol};
use uuid::Uuid;

use self::{established::Established, handshaking::Handshaking};
pub use self::{farewell::FAREWELL, read_budget::ReadBudget};
use crate::{end::SessionEnd, shard::Shard, shard::Upgraded};

/// Runs a session to its end.
pub async fn run(upgraded: Box<Upgraded>, shard: Rc<Shard>) {
    // The future is boxed, so that what only the start of a session needs is not stored for as long as the session
    // lasts.
    if let Some((mut established, begun)) = Box::pin(begin(upgraded, shard)).await {
        let end = match begun {
            Ok(()) => established.serve().await,
            Err(end) => end,
        };
        Box::pin(established.leave(end)).await;
    }
}

/// Establishes the session and joins it. Returns none if the connection never sent its hello; the result is an error
/// if the session must end at once.
async fn begin(upgraded: Box<Upgraded>, shard: Rc<Shard>) -> Option<(Established, Result<(), SessionEnd>)> {
    let session = SessionId(Uuid::now_v7());
    let protocol = upgraded.protocol;
    let mut handshaking = Handshaking::new(*upgraded, shard).ok()?;
    let hello = match protocol {
        Protocol::Plain => None,
        Protocol::V1 => match handshaking.wait_for_hello().await {
            Ok(hello) => Some(hello),
            Err(end) => return handshaking.refuse(end).await,
        },
    };
    let mut established = handshaking.enter(session);
    established.enter_hub().await;
    let begun = established.join(hello).await;
    Some((established, begun))
}
