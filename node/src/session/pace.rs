//! How fast a terminal is read: one that sends without end waits in its own socket, and nobody else notices.

use std::time::{Duration, Instant};

/// So far a terminal may be ahead of its rate: what it has to say after a while away comes at once.
const BURST: Duration = Duration::from_secs(4);

/// Up to when what was read is accounted for.
#[derive(Debug)]
pub struct Pace {
    accounted: Instant,
    each: Duration,
}

impl Pace {
    /// So many messages a second.
    pub fn new(rate: u32) -> Self {
        Self { accounted: Instant::now(), each: Duration::from_secs(1) / rate.max(1) }
    }

    /// A message of this size was read.
    pub fn count(&mut self, bytes: usize) {
        let messages = 1 + (bytes / 1024) as u32;
        self.accounted = self.accounted.max(Instant::now()) + self.each * messages;
    }

    /// Until when nothing more is read, if it is too early.
    pub fn wait(&self) -> Option<Instant> {
        let until = self.accounted.checked_sub(BURST)?;
        (until > Instant::now()).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_read_at_once_and_more_has_to_wait() {
        let mut pace = Pace::new(100);
        (0..390).for_each(|_| pace.count(10));
        assert!(pace.wait().is_none());
        (0..100).for_each(|_| pace.count(10));
        assert!(pace.wait().unwrap() > Instant::now() + Duration::from_millis(500));
        let mut large = Pace::new(100);
        (0..10).for_each(|_| large.count(60 * 1024));
        assert!(large.wait().is_some());
    }
}
