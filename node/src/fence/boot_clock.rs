//! The clock by which a node judges whether its lease has ended. The clock goes on while the machine sleeps, as Redis'
//! clock does.

use std::{ops::Add, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// The clock. The monotonic clock would not do: it stands still while a machine is suspended, so a node that wakes up
/// would take its lease for valid.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
/// Other systems than Linux are for development only.
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// A moment: the time since the machine was started, including the time in which it was suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootInstant(Duration);

impl BootInstant {
    /// Returns the present moment.
    pub fn now() -> Self {
        let now = clock_gettime(CLOCK);
        Self(Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32))
    }

    /// Returns the time that has passed since this moment.
    pub fn elapsed(self) -> Duration {
        Self::now().saturating_duration_since(self)
    }

    /// Returns the time from `earlier` to this moment; zero if `earlier` is not earlier.
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

    /// Compares the clock with `/proc/uptime`, which goes on in suspension too. In a time namespace both are shifted
    /// alike.
    #[test]
    fn the_clock_is_the_one_that_runs_while_the_machine_sleeps() {
        assert_eq!(CLOCK, ClockId::Boottime);
        let uptime =
            || -> f64 { std::fs::read_to_string("/proc/uptime").unwrap().split(' ').next().unwrap().parse().unwrap() };
        let (before, now, after) = (uptime(), BootInstant::now().0.as_secs_f64(), uptime());
        assert!((before - 0.02..=after + 0.02).contains(&now), "{before} {now} {after}");
    }
}
