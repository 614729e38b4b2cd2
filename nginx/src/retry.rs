//! When something that failed is tried again: after 1 s, then after twice as long each time, up to a bound. What failed for a reason from
//! outside, such as a full disk or a broken own file, is so applied soon after the reason is gone, however long it lasted. Pure but for
//! the clock given to it.

use std::time::{Duration, Instant};

/// Before the second attempt.
const FIRST: Duration = Duration::from_secs(1);
/// Between later attempts, at most.
const MOST: Duration = Duration::from_secs(30);

/// Attempts that failed, and when the next one is due.
#[derive(Debug)]
pub struct RetryDelay<T> {
    /// What was tried last.
    what: T,
    failures: u32,
    since: Instant,
    due: Instant,
}

impl<T: PartialEq> RetryDelay<T> {
    /// After the first failure.
    pub fn new(what: T, now: Instant) -> Self {
        Self { what, failures: 1, since: now, due: now + FIRST }
    }

    /// After another failure, of the same or of something else.
    pub fn failed(&mut self, what: T, now: Instant) {
        let wait = FIRST.saturating_mul(1 << self.failures.min(10)).min(MOST);
        *self = Self { what, failures: self.failures.saturating_add(1), since: self.since, due: now + wait };
    }

    /// What was tried last.
    pub fn what(&self) -> &T {
        &self.what
    }

    /// Whether this must wait. What was not tried yet need not.
    pub fn delays(&self, what: &T, now: Instant) -> bool {
        self.what == *what && now < self.due
    }

    /// Attempts that failed since the last one that did not.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Since the first of them.
    pub fn lasts(&self, now: Instant) -> Duration {
        now.duration_since(self.since)
    }

    /// Until the next attempt.
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
