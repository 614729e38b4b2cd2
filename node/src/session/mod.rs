//! A session, from the upgraded connection to its end.
//!
//! ```text
//!   machine   what a session does: a state machine without I/O
//!   drive     the loop of a shard's sessions: owns their connections, feeds their machines, carries out what the machines ask for
//! ```
//!
//! Nobody knows a connection before its hello. After it, the session is in the lane of its shard, in the hub and in the
//! registry. A plain terminal sends no hello, so its session is established at once.
//!
//! A session reads what its terminal sends and reports it. What goes to the terminal does not pass here; the shard writes it to the
//! socket directly.

mod drive;
mod machine;

#[cfg(any(test, fuzzing))]
pub use self::machine::fuzzing;
pub use self::{
    drive::{CallAnswer, FAREWELL, Poller, serve},
    machine::{Output, Settings, TextHeartbeat},
};
