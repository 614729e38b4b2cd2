//! The run's time: nanoseconds since it began, on CLOCK_MONOTONIC, which every process and container of one kernel shares and
//! which never jumps. Every time in a plan, a journal and a report is of this clock.

use std::{thread, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since the run began.
pub type Nanos = u64;

/// A second.
pub const SECOND: Nanos = 1_000_000_000;
/// A millisecond.
pub const MILLISECOND: Nanos = 1_000_000;

/// When the run began.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    zero: u64,
}

impl Clock {
    /// Begins after this delay: the fleet is built meanwhile.
    pub fn start_in(delay: Duration) -> Self {
        Self { zero: monotonic() + nanos(delay) }
    }

    /// Begins at this reading of the kernel's clock.
    pub fn at(zero: u64) -> Self {
        Self { zero }
    }

    /// The kernel's reading at which the run began.
    pub fn zero(&self) -> u64 {
        self.zero
    }

    /// The time now; zero before the beginning.
    pub fn now(&self) -> Nanos {
        monotonic().saturating_sub(self.zero)
    }

    /// Waits in a task, to the millisecond that Tokio's timer has.
    pub async fn reach(&self, time: Nanos) {
        tokio::time::sleep_until(self.instant(time)).await;
    }

    /// Tokio's clock is the same one.
    pub fn instant(&self, time: Nanos) -> tokio::time::Instant {
        tokio::time::Instant::now() + self.until(time)
    }

    /// Waits on a thread of its own, to some 50 us.
    pub fn sleep_until(&self, time: Nanos) {
        thread::sleep(self.until(time));
    }

    fn until(&self, time: Nanos) -> Duration {
        Duration::from_nanos(self.zero.saturating_add(time).saturating_sub(monotonic()))
    }
}

/// The kernel's clock now.
pub fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * SECOND + now.tv_nsec as u64
}

/// A duration in nanoseconds.
pub fn nanos(duration: Duration) -> Nanos {
    duration.as_nanos().try_into().unwrap_or(Nanos::MAX)
}

/// Seconds in nanoseconds; what is no time at all is zero.
pub fn from_seconds(seconds: f64) -> Nanos {
    (seconds.max(0.0) * SECOND as f64) as Nanos
}
