//! The clock of a run: nanoseconds since the run began, on CLOCK_MONOTONIC. All processes and containers of one
//! kernel share that clock, and it never jumps. All times in plans, journals and reports are of this clock.

use std::{thread, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since the run began.
pub type Nanos = u64;

/// One second.
pub const SECOND: Nanos = 1_000_000_000;
/// One millisecond.
pub const MILLISECOND: Nanos = 1_000_000;

/// A clock that starts at the beginning of the run.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    zero: u64,
}

impl Clock {
    /// Creates a clock that begins after `delay`, during which the fleet is built.
    pub fn start_in(delay: Duration) -> Self {
        Self { zero: monotonic() + nanos(delay) }
    }

    /// Creates a clock that begins at this reading of the kernel's clock, in nanoseconds.
    pub fn at(zero: u64) -> Self {
        Self { zero }
    }

    /// Returns the reading of the kernel's clock at which the run began, in nanoseconds.
    pub fn zero(&self) -> u64 {
        self.zero
    }

    /// Returns the time now; zero before the run began.
    pub fn now(&self) -> Nanos {
        monotonic().saturating_sub(self.zero)
    }

    /// Waits until `time` in an async task. The precision is Tokio's: one millisecond.
    pub async fn wait_until(&self, time: Nanos) {
        tokio::time::sleep_until(self.instant(time)).await;
    }

    /// Converts `time` to Tokio's `Instant`, which is of the same clock. A time in the past becomes now.
    pub fn instant(&self, time: Nanos) -> tokio::time::Instant {
        tokio::time::Instant::now() + self.until(time)
    }

    /// Blocks the thread until `time`. The precision is about 50 us.
    pub fn sleep_until(&self, time: Nanos) {
        thread::sleep(self.until(time));
    }

    fn until(&self, time: Nanos) -> Duration {
        Duration::from_nanos(self.zero.saturating_add(time).saturating_sub(monotonic()))
    }
}

/// Returns the reading of the kernel's CLOCK_MONOTONIC, in nanoseconds.
pub fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * SECOND + now.tv_nsec as u64
}

/// Converts a duration to nanoseconds; `Nanos::MAX` if it is too long.
pub fn nanos(duration: Duration) -> Nanos {
    duration.as_nanos().try_into().unwrap_or(Nanos::MAX)
}

/// Converts seconds to nanoseconds. Negative values and NaN become zero, and too great values `Nanos::MAX`.
pub fn from_seconds(seconds: f64) -> Nanos {
    (seconds.max(0.0) * SECOND as f64) as Nanos
}
