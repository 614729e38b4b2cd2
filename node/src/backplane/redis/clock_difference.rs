//! By how much the clock of a master differs from this node's, and how much it may.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

/// With a greater difference the partitions of the master accept no command from this node.
const CLOCK_MAX: Duration = Duration::from_secs(5);

/// The difference as it was last measured.
#[derive(Debug, Default)]
pub struct ClockDifference(AtomicI64);

impl ClockDifference {
    /// Returns by how many milliseconds Redis' clock is at least ahead of this node's clock.
    pub fn ahead(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Records by how many milliseconds Redis' clock is ahead.
    pub fn set_ahead(&self, ahead: i64) {
        self.0.store(ahead, Ordering::Relaxed);
    }

    /// Checks that the clocks agree well enough for commands.
    ///
    /// # Errors
    /// By how much the clocks differ, and what to do.
    pub fn check(&self) -> Result<(), String> {
        let ahead = Duration::from_millis(self.ahead().unsigned_abs());
        if ahead <= CLOCK_MAX {
            return Ok(());
        }
        Err(format!(
            "the clocks of this node and of its Redis differ by {} s, and {} s is the limit; set both by NTP",
            ahead.as_secs(),
            CLOCK_MAX.as_secs(),
        ))
    }
}
