//! A session, from the upgraded connection to its end.
//!
//! ```text
//!   machine   what a session does: a state machine without I/O
//!   drive     the loop of a shard's sessions: owns their connections, feeds their machines,
//!             carries out what the machines ask for
//! ```
//!
//! Before the hello, neither hub nor registry knows the connection. After the hello, the session is in a lane of its
//! shard, in the hub and in the registry. A plain terminal sends no hello, so its session is there at once.
//!
//! A session reads and reports what its terminal sends. Live commands do not pass through the session: the shard writes
//! them to the socket directly.

mod drive;
mod machine;

#[cfg(any(test, fuzzing))]
pub use self::machine::fuzzing;
pub use self::{
    drive::{CallAnswer, FAREWELL, Poller, serve},
    machine::{Output, Settings, TextHeartbeat},
};
