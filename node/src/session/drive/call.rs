//! A call of a session to the backplane while it is under way, and its answer.

use muster_protocol::frame;
use tokio_util::task::AbortOnDropHandle;

use crate::backplane::JoinOutcome;

/// What the backplane answered.
pub enum CallAnswer {
    /// How a session was registered.
    Joined(JoinOutcome),
    /// The frames of the commands that the session asked for. `None` in place of a frame if the command is not stored
    /// any more; `None` in place of the list if the store did not answer.
    Fetched(Option<Vec<Option<frame::Command>>>),
    /// The session is out of the registry.
    Left,
}

/// A call that is under way. Dropping this value gives the call up.
pub struct Call {
    /// No other call of the shard has this number.
    pub number: u64,
    /// Makes the call, and puts its answer into the work of the shard.
    pub task: AbortOnDropHandle<()>,
}
