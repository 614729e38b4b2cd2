//! The run second by second: who was on the line, what came, how late, and what was lost. From it a fault's before, during and after
//! are cut, to the second.

use serde::{Deserialize, Serialize};

use super::Latency;
use crate::clock::{Nanos, SECOND};

/// One second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Terminals on the line at its end.
    pub online: i64,
    /// Sessions that were lost in it, not by plan.
    pub dropped: u64,
    /// Messages due in it.
    pub sent: u64,
    /// Deliveries in it.
    pub received: u64,
    /// Deliveries of messages due in it that never came.
    pub lost: u64,
    /// How long those of the messages that were due in it took, live.
    pub latency: Latency,
}

impl Default for Second {
    fn default() -> Self {
        // Two digits: there is one for each second.
        Self { online: 0, dropped: 0, sent: 0, received: 0, lost: 0, latency: Latency::with_digits(2) }
    }
}

/// All of them.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// From the beginning of the run.
    pub seconds: Vec<Second>,
}

impl Timeline {
    /// The second of a time.
    pub fn second(&mut self, at: Nanos) -> &mut Second {
        let number = (at / SECOND) as usize;
        if self.seconds.len() <= number {
            self.seconds.resize_with(number + 1, Second::default);
        }
        &mut self.seconds[number]
    }

    /// A terminal was on the line from then until then.
    pub fn online(&mut self, from: Nanos, to: Nanos, end: Nanos) {
        // Of what lasted to the end the last second counts too.
        for second in from / SECOND..to.min(end) / SECOND {
            self.second(second * SECOND).online += 1;
        }
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: &Self) {
        for (number, theirs) in other.seconds.iter().enumerate() {
            let mine = self.second(number as u64 * SECOND);
            mine.online += theirs.online;
            mine.dropped += theirs.dropped;
            mine.sent += theirs.sent;
            mine.received += theirs.received;
            mine.lost += theirs.lost;
            mine.latency.merge(&theirs.latency);
        }
    }

    /// The latencies of these seconds together.
    pub fn latency(&self, seconds: std::ops::Range<usize>) -> Latency {
        let mut sum = Latency::with_digits(2);
        let end = seconds.end.min(self.seconds.len());
        self.seconds[seconds.start.min(end)..end].iter().for_each(|second| sum.merge(&second.latency));
        sum
    }

    /// After a fault in this second: the first one with which five begin that lose nothing and whose p99 is within one and a half
    /// times that of before. `None` if there are none.
    pub fn steady_after(&self, fault: usize, end: usize) -> Option<usize> {
        let before = self.latency(fault.saturating_sub(10)..fault).at(0.99).milliseconds();
        let steady = |from: usize| {
            let latency = self.latency(from..from + 5);
            let lost: u64 = self.seconds[from..from + 5].iter().map(|second| second.lost).sum();
            lost == 0 && latency.count() > 0 && latency.at(0.99).milliseconds() <= before * 1.5
        };
        (fault..(end.min(self.seconds.len())).saturating_sub(4)).find(|from| steady(*from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MILLISECOND;

    /// 30 s with one message a second, at 10 ms, but 500 ms in seconds 12 to 14, and one lost in 13.
    fn disturbed() -> Timeline {
        let mut timeline = Timeline::default();
        for second in 0..30 {
            let ms = if (12..15).contains(&second) { 500 } else { 10 };
            timeline.second(second * SECOND).latency.record(ms * MILLISECOND);
        }
        timeline.second(13 * SECOND).lost = 1;
        timeline
    }

    #[test]
    fn it_is_steady_when_the_fault_has_passed() {
        assert_eq!(disturbed().steady_after(12, 30), Some(15));
        assert_eq!(disturbed().steady_after(12, 19), None, "there are no five seconds left");
    }

    #[test]
    fn who_was_online_counts_in_each_second_to_its_end() {
        let mut timeline = Timeline::default();
        timeline.online(SECOND / 2, 3 * SECOND + 1, 10 * SECOND);
        let online: Vec<_> = timeline.seconds.iter().map(|second| second.online).collect();
        assert_eq!(online, [1, 1, 1]);
    }
}
