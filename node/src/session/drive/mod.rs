//! What drives the machines of a shard's sessions: their connections, the time, and the answers of the backplane.
//!
//! ```text
//!   sessions     the sessions of one shard, and the loop in which each gets its turns
//!   poller       which of their sockets are ready
//!   driver       one session: a machine with its connection
//!   carry_out    what a machine asks for
//!   calls        makes the calls of a session to the backplane; `call` is one of them, and its answer
//!   connection   the connection of a session, from the handshake to the close
//! ```

mod call;
mod calls;
mod carry_out;
mod connection;
mod driver;
mod poller;
mod sessions;

use std::time::Duration;

pub use self::{call::CallAnswer, poller::Poller, sessions::serve};

/// How long a shard that stops waits for the sessions that it has just told to end.
pub const FAREWELL: Duration = Duration::from_secs(1);
