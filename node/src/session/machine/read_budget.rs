//! The rate at which the node reads from a terminal. What a terminal sends beyond its rate waits in its own socket, so
//! no other session is slowed.

use std::time::{Duration, Instant};

/// How far a terminal may be ahead of its rate. It lets the node read at once what a terminal sends after a while away.
const BURST: Duration = Duration::from_secs(4);

/// The read budget of one terminal. Each frame that is read, and each KiB, costs one unit, which the passing of time
/// pays off. Every frame costs, of any kind, also a frame that completes no message; every byte costs, also a byte that
/// completes no frame. A terminal could send without end whatever cost nothing.
#[derive(Debug, Clone, Copy)]
pub struct ReadBudget {
    /// The time at which everything read so far is paid off.
    accounted: Instant,
}

impl ReadBudget {
    /// Returns a budget of which nothing is used.
    pub fn new(now: Instant) -> Self {
        Self { accounted: now }
    }

    /// Charges for one read of this many bytes, which completed this many frames. `rate` is the number of units that
    /// one second pays off.
    pub fn count(&mut self, bytes: usize, frames: usize, rate: u32, now: Instant) {
        let each = Duration::from_secs(1) / rate.max(1);
        // A read is at most as large as its buffer, so neither number comes near the limit of 32 bits.
        let cost = each * frames as u32 + each * bytes as u32 / 1024;
        self.accounted = self.accounted.max(now) + cost;
    }

    /// Returns the time before which nothing more may be read; none if reading may go on now.
    pub fn wait(&self, now: Instant) -> Option<Instant> {
        let until = self.accounted.checked_sub(BURST)?;
        (until > now).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_read_at_once_and_more_has_to_wait() {
        let now = Instant::now();
        let mut read_budget = ReadBudget::new(now);
        (0..390).for_each(|_| read_budget.count(10, 1, 100, now));
        assert!(read_budget.wait(now).is_none());
        (0..100).for_each(|_| read_budget.count(10, 1, 100, now));
        let until = read_budget.wait(now).unwrap();
        assert!(until > now + Duration::from_millis(500));
        assert!(read_budget.wait(until).is_none());
    }

    #[test]
    fn bytes_are_charged_though_they_complete_no_frame() {
        let now = Instant::now();
        let mut large = ReadBudget::new(now);
        (0..10).for_each(|_| large.count(60 * 1024, 0, 100, now));
        assert!(large.wait(now).is_some());
        let mut trickle = ReadBudget::new(now);
        (0..6 * 1024).for_each(|_| trickle.count(100, 0, 100, now));
        assert!(trickle.wait(now).is_some());
    }

    #[test]
    fn small_frames_of_one_read_are_charged_each() {
        let now = Instant::now();
        let mut read_budget = ReadBudget::new(now);
        read_budget.count(16 * 1024, 2340, 500, now);
        assert!(read_budget.wait(now).is_some());
    }
}
