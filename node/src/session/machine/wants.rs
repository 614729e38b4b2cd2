//! What a session waits for.

use std::time::Instant;

use super::{Machine, State};

/// What a session waits for, apart from the answers to its calls and the requests of the node.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Wants {
    /// Whether the session takes [`Input::Read`](super::Input::Read) and
    /// [`Input::EndOfStream`](super::Input::EndOfStream). While this is false the node reads nothing, and what the
    /// terminal sends waits in the socket.
    pub read: bool,
    /// Whether the session wants [`Input::Flushed`](super::Input::Flushed) once everything was handed to the
    /// connection.
    pub flush: bool,
    /// When the session wants [`Input::Time`](super::Input::Time); none if it waits for no time.
    pub wake_at: Option<Instant>,
}

impl Machine {
    /// Returns what the session waits for now.
    pub fn wants(&self, now: Instant) -> Wants {
        let (deadline, flush) = match &self.state {
            State::Hello(hello) => (Some(hello.deadline), false),
            State::Registering { deadline } => (Some(*deadline), false),
            State::Contested { until } => (Some(*until), false),
            State::CatchingUp(catch_up) => (Some(catch_up.wake_at()), catch_up.awaits_flush()),
            State::Live => (None, false),
            State::Closing(closing) => return closing.wants(),
            State::Done => return Wants::default(),
        };
        if self.waiting.is_some() {
            return Wants { read: false, flush, wake_at: deadline };
        }
        let paced_until = self.read_budget.wait(now);
        Wants { read: paced_until.is_none(), flush, wake_at: earlier(deadline, paced_until) }
    }
}

/// Returns the earlier of two moments.
pub(super) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}
