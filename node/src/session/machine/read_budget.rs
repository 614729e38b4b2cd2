//! The rate at which a terminal is read. What a terminal sends beyond its rate waits in its own socket, and no other
//! session notices.

use std::time::{Duration, Instant};

/// How far a terminal may be ahead of its rate, so that what it has to send after a while away is read at once.
const BURST: Duration = Duration::from_secs(4);

/// The read budget of one terminal. Each frame that is read, and each KiB, costs one unit, which the passing of time
/// pays off. Every frame is charged, of any kind and whether it completes a message or not; so is every byte,
/// whether it completes a frame or not. Anything that cost nothing could be sent without end.
#[derive(Debug, Clone, Copy)]
pub struct ReadBudget {
    /// The time at which everything read so far is paid off.
    accounted: Instant,
}

impl ReadBudget {
    /// A budget of which nothing is used.
    pub fn new(now: Instant) -> Self {
        Self { accounted: now }
    }

    /// Charges for one read of this many bytes, which completed this many frames. The terminal may send `rate` frames a second, where
    /// each KiB counts as one more.
    pub fn count(&mut self, bytes: usize, frames: usize, rate: u32, now: Instant) {
        let each = Duration::from_secs(1) / rate.max(1);
        // A read is as large as its buffer at most, so neither number comes near 32 bits.
        let cost = each * frames as u32 + each * bytes as u32 / 1024;
        self.accounted = self.accounted.max(now) + cost;
    }

    /// The time before which nothing more may be read; none if reading may go on now.
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
