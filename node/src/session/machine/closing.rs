//! A session after its close frame: it waits until the frame is written, and discards what the terminal still sends.
//!
//! The socket of a terminal that reads slowly may not take the close frame at once. Reading goes on meanwhile: a
//! terminal that reads only after it has sent would otherwise wait for the node, and the node for the terminal.
//!
//! The kernel resets a connection that is closed with bytes unread, or that bytes still arrive on. The reset may
//! overtake the close frame and everything before the frame. So the node first reads and discards what still arrives.

use std::time::{Duration, Instant};

use super::{Action, InputContext, Machine, State, Wants, wants::earlier};
use crate::{end::SessionEnd, wire::Message};

/// How long a terminal may take to read the close frame, to stop sending and to close. After that the connection is
/// closed, with a reset if bytes are unread. A terminal that has not taken the close frame by then never gets it.
pub const FAREWELL_TIME: Duration = Duration::from_secs(2);

/// How many bytes the node discards. After that the node reads nothing more. A terminal that stops when it reads the
/// close frame has sent at most what the buffers on the way hold, some MiB each, or the rest of a message over the
/// limit.
pub const FAREWELL_BYTES: usize = 16 * 1024 * 1024;

/// After this time without a byte, a terminal whose bytes can't be decoded counts as one that has stopped sending. The
/// node then shuts down its own side. The node does not shut down at once, because a proxy that sees the shutdown
/// closes the terminal's connection even if bytes are unread.
const QUIET: Duration = Duration::from_millis(300);

/// A connection that a close frame was sent on.
#[derive(Debug)]
pub struct Closing {
    deadline: Instant,
    /// How many bytes may still be discarded.
    bytes_left: usize,
    /// Whether the bytes can't be decoded any more, so that an answer to the close would not be recognised.
    is_broken: bool,
    /// When a terminal whose bytes can't be decoded counts as one that has stopped sending. None if the bytes can be
    /// decoded, and once the node has shut down its side.
    quiet_at: Option<Instant>,
    /// Whether nothing more is read: the terminal has closed or has gone, or has sent too much.
    is_read: bool,
    /// Whether the close frame was handed to the connection.
    is_flushed: bool,
}

impl Closing {
    /// Returns the state of a connection whose close frame for `end` was just sent. If the terminal closed first, the
    /// node's frame is the answer to it, and the node reads nothing more.
    pub fn new(end: SessionEnd, now: Instant) -> Self {
        let is_broken = matches!(end, SessionEnd::Wire(_));
        Self {
            deadline: now + FAREWELL_TIME,
            bytes_left: FAREWELL_BYTES,
            is_broken,
            quiet_at: is_broken.then(|| now + QUIET),
            is_read: end == SessionEnd::Left,
            is_flushed: false,
        }
    }

    /// Counts bytes that were read. Returns whether they can't be decoded.
    pub fn discard(&mut self, count: usize, now: Instant) -> bool {
        self.bytes_left = self.bytes_left.saturating_sub(count);
        self.is_read |= self.bytes_left == 0;
        self.quiet_at = self.quiet_at.map(|_| now + QUIET);
        self.is_broken
    }

    /// Looks for the answer to the close among the messages that are discarded.
    pub fn look_at(&mut self, message: &Message) {
        self.is_read |= matches!(message, Message::Close(_));
    }

    /// Records that the terminal's bytes can't be decoded any more, if `end` says so; otherwise that nothing more
    /// comes.
    pub fn end_of_stream(&mut self, end: SessionEnd, now: Instant) {
        match end {
            SessionEnd::Wire(_) => {
                self.is_broken = true;
                self.quiet_at = Some(now + QUIET);
            }
            _ => self.is_read = true,
        }
    }

    /// Returns what the connection waits for.
    pub fn wants(&self) -> Wants {
        let quiet_at = self.quiet_at.filter(|_| !self.is_read);
        Wants { read: !self.is_read, flush: !self.is_flushed, wake_at: earlier(Some(self.deadline), quiet_at) }
    }
}

impl Machine {
    pub(super) fn wake_closing(&mut self, context: &mut InputContext<'_>) {
        let State::Closing(closing) = &mut self.state else { return };
        let now = context.now.instant;
        if now >= closing.deadline {
            self.state = State::Done;
            return context.push(Action::Done);
        }
        if closing.quiet_at.is_some_and(|at| now >= at) && !closing.is_read {
            if closing.is_flushed {
                closing.quiet_at = None;
                context.push(Action::ShutDown);
            } else {
                closing.quiet_at = Some(now + QUIET);
            }
        }
    }

    pub(super) fn close_taken(&mut self, context: &mut InputContext<'_>) {
        if let State::Closing(closing) = &mut self.state {
            closing.is_flushed = true;
        }
        self.finish_if_over(context);
    }

    /// Closes the connection once the close frame is written and the terminal has closed too.
    pub(super) fn finish_if_over(&mut self, context: &mut InputContext<'_>) {
        if let State::Closing(closing) = &self.state
            && closing.is_flushed
            && closing.is_read
        {
            self.state = State::Done;
            context.push(Action::Done);
        }
    }
}
