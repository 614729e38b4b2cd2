//! The deadlines of one session: the end of the stay, a server that says nothing, and the next keepalive.

use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::adapter::{Keepalive, Readiness};

/// A silence that no run reaches: 2^20 seconds.
const FOR_EVER: Duration = Duration::from_secs(1 << 20);

/// The deadlines of one session.
pub(super) struct SessionTimers {
    /// The end of the stay.
    pub(super) until: Instant,
    /// How long the server may send nothing.
    silence: Duration,
    /// What is sent to keep the session, and when it is sent next.
    keepalive: Option<(Keepalive, Instant)>,
}

impl SessionTimers {
    /// Returns the deadlines of a session that is ready at `now` and lasts until `until` at most.
    pub(super) fn new(readiness: &Readiness, until: Instant, now: Instant) -> Self {
        let keepalive = readiness.keepalive.clone().map(|keepalive| {
            let first = now + keepalive.every;
            (keepalive, first)
        });
        Self { until, silence: readiness.silence.unwrap_or(FOR_EVER), keepalive }
    }

    /// Returns the next deadline, if a frame was last read at `last_read`.
    pub(super) fn next(&self, last_read: Instant) -> Instant {
        let next = self.until.min(last_read + self.silence);
        self.keepalive.as_ref().map_or(next, |(_, at)| next.min(*at))
    }

    /// Returns whether the server has said nothing for too long.
    pub(super) fn is_silent(&self, last_read: Instant, now: Instant) -> bool {
        now >= last_read + self.silence
    }

    /// Returns the frame that is to be sent at `now`, if any. The next frame is due a period later.
    pub(super) fn due_keepalive(&mut self, now: Instant) -> Option<Message> {
        let (keepalive, at) = self.keepalive.as_mut().filter(|(_, at)| *at <= now)?;
        *at = now + keepalive.every;
        Some(keepalive.frame.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_deadline_is_next_and_keepalives_come_again() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let keepalive = Some(Keepalive { every: Duration::from_secs(10), frame: Message::text("x") });
        let silence = Some(Duration::from_secs(25));
        let mut timers =
            SessionTimers::new(&Readiness { silence, keepalive, ..Readiness::default() }, after(60), start);
        assert_eq!((timers.next(start), timers.due_keepalive(after(9))), (after(10), None));
        assert_eq!(timers.due_keepalive(after(11)), Some(Message::text("x")));
        assert_eq!((timers.next(start), timers.due_keepalive(after(12))), (after(21), None));
        assert!(timers.is_silent(start, after(25)) && !timers.is_silent(after(1), after(25)));
        let quiet = SessionTimers::new(&Readiness::default(), after(60), start);
        assert_eq!(quiet.next(start), after(60));
    }
}
