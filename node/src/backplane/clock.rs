//! The clock of the memory backplane. In a cluster the clock of Redis takes its place.

use std::time::Instant;

use jiff::Timestamp;

/// Tells a store the time.
pub trait TimeSource: Send + Sync {
    /// Returns the time of day, by which commands expire.
    fn now(&self) -> Timestamp;

    /// Returns a time that never goes back, by which durations are measured.
    fn instant(&self) -> Instant;
}

/// The clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl TimeSource for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }
}
