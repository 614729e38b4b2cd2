//! Decides when something that failed is tried again: after 1 s, and then after twice as long each time, up to 30 s. So
//! a change that failed for an external reason, such as a full disk, is applied soon after the reason is gone. The
//! caller gives the time.

use std::time::{Duration, Instant};

/// The wait before the second attempt.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait between two attempts.
const MOST: Duration = Duration::from_secs(30);

/// The attempts that failed since the last success, and when the next one is due.
#[derive(Debug)]
pub struct RetryDelay<T> {
    what: T,
    failures: u32,
    since: Instant,
    due: Instant,
}

impl<T: PartialEq> RetryDelay<T> {
    /// Starts after the first failure.
    pub fn new(what: T, now: Instant) -> Self {
        Self { what, failures: 1, since: now, due: now + FIRST }
    }

    /// Records another failure, of the same thing or of another one.
    pub fn failed(&mut self, what: T, now: Instant) {
        let wait = FIRST.saturating_mul(1 << self.failures.min(10)).min(MOST);
        *self = Self { what, failures: self.failures.saturating_add(1), since: self.since, due: now + wait };
    }

    /// Returns what was tried last.
    pub fn what(&self) -> &T {
        &self.what
    }

    /// Returns whether this must wait. Only what was tried last must.
    pub fn delays(&self, what: &T, now: Instant) -> bool {
        self.what == *what && now < self.due
    }

    /// Returns the number of failed attempts.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Returns the time since the first failure.
    pub fn lasts(&self, now: Instant) -> Duration {
        now.duration_since(self.since)
    }

    /// Returns the time until the next attempt.
    pub fn remaining(&self, now: Instant) -> Duration {
        self.due.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_wait_doubles_up_to_a_bound() {
        let mut now = Instant::now();
        let mut retry = RetryDelay::new("set", now);
        let mut waits = Vec::new();
        for _ in 0..7 {
            waits.push(retry.remaining(now).as_secs());
            now += retry.remaining(now);
            assert!(!retry.delays(&"set", now) && retry.delays(&"set", now - SECOND / 10));
            retry.failed("set", now);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!((retry.failures(), retry.lasts(now)), (8, 91 * SECOND));
    }

    #[test]
    fn something_else_is_tried_at_once_and_waits_as_long_if_it_fails_too() {
        let now = Instant::now();
        let mut retry = RetryDelay::new("one", now);
        assert!(retry.delays(&"one", now) && !retry.delays(&"other", now));
        retry.failed("other", now);
        assert!(!retry.delays(&"one", now) && retry.remaining(now) == 2 * SECOND);
    }
}
