//! What happens to a session: the inputs of its machine.

use std::time::Instant;

use jiff::Timestamp;
use muster_protocol::frame;

use crate::{backplane::JoinOutcome, end::SessionEnd};

/// The time of an input, by two clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The time by a clock that nobody sets. All deadlines go by this clock.
    pub instant: Instant,
    /// The time of day, by which commands and tokens expire.
    pub time: Timestamp,
}

/// One thing that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The connection is ready. This is the first input, and comes once.
    Opened,
    /// These bytes were read. The machine unmasks them in place.
    Read(&'a mut [u8]),
    /// The terminal sends nothing more: the stream has ended, or the connection is broken.
    EndOfStream,
    /// The moment in [`Wants::wake_at`](super::Wants::wake_at) has come.
    Time,
    /// The answer to [`Action::Join`](super::Action::Join).
    Joined(JoinOutcome),
    /// The answer to [`Action::Fetch`](super::Action::Fetch): the frames in the order of the ids, and `None` for a
    /// command that is not stored any more. `None` in place of the list if the store did not answer.
    Fetched(Option<Vec<Option<frame::Command>>>),
    /// Everything that was sent has been handed to the connection. Given only while
    /// [`Wants::flush`](super::Wants::flush) is set.
    Flushed,
    /// The session is to register again. It has received everything up to this sequence number. Given only while
    /// [`Machine::is_live`](super::Machine::is_live) is true.
    Rejoin {
        /// The sequence number.
        received_up_to: u64,
    },
    /// The answer to [`Action::Verify`](super::Action::Verify): when the token expires (none for never), or why it is
    /// refused. The text goes to the terminal.
    Verified(Result<Option<u64>, String>),
    /// The node ends the session.
    End(SessionEnd),
}
