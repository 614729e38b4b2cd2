//! The clock by which a lease's end is judged: it goes on while the machine sleeps, as Redis' clock does.

use std::{ops::Add, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// The clock. The monotonic clock stands still while a machine is suspended, so a node that wakes up would take its lease for valid.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
/// Other systems are for development alone.
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// A moment: the time since the machine was started, with the time in which it was suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootInstant(Duration);

impl BootInstant {
    /// The moment now.
    pub fn now() -> Self {
        let now = clock_gettime(CLOCK);
        Self(Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32))
    }

    /// The time since this moment.
    pub fn elapsed(self) -> Duration {
        Self::now().saturating_duration_since(self)
    }

    /// The time from an earlier moment to this one; zero if it is not earlier.
    pub fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for BootInstant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// The kernel's own count since the start, which goes on in suspension. In a time namespace it is the same clock.
    #[test]
    fn the_clock_is_the_one_that_runs_while_the_machine_sleeps() {
        assert_eq!(CLOCK, ClockId::Boottime);
        let uptime =
            || -> f64 { std::fs::read_to_string("/proc/uptime").unwrap().split(' ').next().unwrap().parse().unwrap() };
        let (before, now, after) = (uptime(), BootInstant::now().0.as_secs_f64(), uptime());
        assert!((before - 0.02..=after + 0.02).contains(&now), "{before} {now} {after}");
    }
}
