//! The run second by second: terminals connected, deliveries, latencies and losses. The times before, during and
//! after a mark are cut from it, to the second.

use serde::{Deserialize, Serialize};

use super::Latency;
use crate::clock::{Nanos, SECOND};

/// One second of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimelineSecond {
    /// Terminals connected at the end of the second.
    pub online: i64,
    /// Sessions lost in the second that the plan did not end.
    pub dropped: u64,
    /// Messages due in the second.
    pub sent: u64,
    /// Messages received in the second.
    pub received: u64,
    /// Deliveries that never arrived, of messages due in the second.
    pub lost: u64,
    /// Latency of live deliveries of messages due in the second, from when each message was due.
    pub latency: Latency,
}

impl Default for TimelineSecond {
    fn default() -> Self {
        // Two digits take less memory: every second has a histogram.
        Self { online: 0, dropped: 0, sent: 0, received: 0, lost: 0, latency: Latency::with_digits(2) }
    }
}

/// All seconds of a run.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// The seconds from the beginning of the run to the last one in which something was counted.
    pub seconds: Vec<TimelineSecond>,
}

impl Timeline {
    /// The second that contains the time `at`. Adds empty seconds up to it if needed.
    pub fn second(&mut self, at: Nanos) -> &mut TimelineSecond {
        let number = (at / SECOND) as usize;
        if self.seconds.len() <= number {
            self.seconds.resize_with(number + 1, TimelineSecond::default);
        }
        &mut self.seconds[number]
    }

    /// Counts a terminal as connected from `from` to `to`, or to `end`, the end of the run, if that is earlier.
    pub fn online(&mut self, from: Nanos, to: Nanos, end: Nanos) {
        // A second counts if the terminal was connected at its end. A session that lasts to the end of the run
        // counts in the last whole second too.
        for second in from / SECOND..to.min(end) / SECOND {
            self.second(second * SECOND).online += 1;
        }
    }

    /// Adds the seconds of another part of the same run.
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

    /// The latencies of these seconds merged into one histogram. Seconds beyond the end of the run are left out.
    pub fn latency(&self, seconds: std::ops::Range<usize>) -> Latency {
        let mut sum = Latency::with_digits(2);
        let end = seconds.end.min(self.seconds.len());
        self.seconds[seconds.start.min(end)..end].iter().for_each(|second| sum.merge(&second.latency));
        sum
    }

    /// The first second after a mark in the second `fault` from which the service is steady: five consecutive
    /// seconds lose nothing, have at least one sample, and have a p99 of at most 1.5 times the p99 of the ten
    /// seconds before the mark.
    ///
    /// `None` if there is no such second before `end`.
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

    /// 30 s with one message per second and a latency of 10 ms; 500 ms in seconds 12 to 14, and one loss in second
    /// 13.
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
    fn a_run_is_steady_once_the_fault_has_passed() {
        assert_eq!(disturbed().steady_after(12, 30), Some(15));
        assert_eq!(disturbed().steady_after(12, 19), None, "there are no five seconds left");
    }

    #[test]
    fn a_terminal_counts_as_online_in_each_second_to_its_end() {
        let mut timeline = Timeline::default();
        timeline.online(SECOND / 2, 3 * SECOND + 1, 10 * SECOND);
        let online: Vec<_> = timeline.seconds.iter().map(|second| second.online).collect();
        assert_eq!(online, [1, 1, 1]);
    }
}
