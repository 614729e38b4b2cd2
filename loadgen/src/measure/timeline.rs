//! The run step by step: terminals connected, deliveries, latencies and losses. A step is a second, and longer in a
//! long run. The times before, during and after a mark are cut from the steps.

use serde::{Deserialize, Serialize};

use super::Latency;
use crate::clock::{Nanos, SECOND};

/// The largest number of steps. When a run needs more, two steps become one, so the memory does not grow with the run.
const STEPS: usize = 600;

/// One step of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimelineStep {
    /// Terminals connected at the end of the step.
    pub online: i64,
    /// Sessions lost in the step that the plan did not end.
    pub dropped: u64,
    /// Messages due in the step.
    pub sent: u64,
    /// Messages received in the step.
    pub received: u64,
    /// Deliveries that never arrived, of messages due in the step.
    pub lost: u64,
    /// Latency of live deliveries of messages due in the step, from when each message was due.
    pub latency: Latency,
}

impl Default for TimelineStep {
    fn default() -> Self {
        // Two digits take less memory: every step has a histogram.
        Self { online: 0, dropped: 0, sent: 0, received: 0, lost: 0, latency: Latency::with_digits(2) }
    }
}

impl TimelineStep {
    /// Adds what was counted in `other`, except the terminals connected at its end.
    fn add(&mut self, other: &Self) {
        self.dropped += other.dropped;
        self.sent += other.sent;
        self.received += other.received;
        self.lost += other.lost;
        self.latency.merge(&other.latency);
    }
}

/// All steps of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// The length of a step in seconds: a power of two.
    pub step_s: u64,
    /// The steps from the beginning of the run to the last one in which something was counted, at most [`STEPS`].
    pub steps: Vec<TimelineStep>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { step_s: 1, steps: Vec::new() }
    }
}

impl Timeline {
    /// Returns the number of the step that contains the time `at`.
    pub fn number(&self, at: Nanos) -> usize {
        (at / (self.step_s * SECOND)) as usize
    }

    /// Returns the step that contains the time `at`. Adds empty steps up to it if needed.
    pub fn step(&mut self, at: Nanos) -> &mut TimelineStep {
        while self.number(at) >= STEPS {
            self.coarsen();
        }
        let number = self.number(at);
        if self.steps.len() <= number {
            self.steps.resize_with(number + 1, TimelineStep::default);
        }
        &mut self.steps[number]
    }

    /// Makes one step of two.
    fn coarsen(&mut self) {
        self.step_s *= 2;
        let pairs = std::mem::take(&mut self.steps);
        self.steps = pairs
            .chunks(2)
            .map(|pair| {
                let mut step = pair[0].clone();
                if let Some(second) = pair.get(1) {
                    step.add(second);
                    step.online = second.online;
                }
                step
            })
            .collect();
    }

    /// Counts a terminal as connected from `from` to `to`, or to `end`, the end of the run, if that is earlier.
    pub fn online(&mut self, from: Nanos, to: Nanos, end: Nanos) {
        let to = to.min(end);
        if self.number(from) < self.number(to) {
            self.step(to - self.step_s * SECOND);
        }
        // A step counts if the terminal was connected at its end. A session that lasts to the end of the run counts in
        // the last whole step too.
        for number in self.number(from)..self.number(to) {
            self.steps[number].online += 1;
        }
    }

    /// Adds the steps of another part of the same run.
    pub fn merge(&mut self, other: &Self) {
        while self.step_s < other.step_s {
            self.coarsen();
        }
        for (number, theirs) in other.steps.iter().enumerate() {
            let end = (number as u64 + 1) * other.step_s;
            let mine = self.step((end - other.step_s) * SECOND);
            mine.add(theirs);
            if end.is_multiple_of(self.step_s) {
                self.step((end - other.step_s) * SECOND).online += theirs.online;
            }
        }
    }

    /// Returns the latencies of these steps merged into one histogram. Steps beyond the end of the run are left out.
    pub fn latency(&self, steps: std::ops::Range<usize>) -> Latency {
        let mut sum = Latency::with_digits(2);
        let end = steps.end.min(self.steps.len());
        self.steps[steps.start.min(end)..end].iter().for_each(|step| sum.merge(&step.latency));
        sum
    }

    /// Returns the latencies of the ten seconds before this step, or of the step before it if steps are longer.
    pub fn before(&self, step: usize) -> Latency {
        self.latency(step.saturating_sub(self.of_seconds(10))..step)
    }

    /// Returns the first step after a mark in the step `fault` from which the service is steady: five consecutive
    /// seconds lose nothing, have at least one sample, and have a p99 of at most 1.5 times the p99 of the ten seconds
    /// before the mark.
    ///
    /// `None` if there is no such step before `end`.
    pub fn steady_after(&self, fault: usize, end: usize) -> Option<usize> {
        let (before, length) = (self.before(fault).at(0.99).milliseconds(), self.of_seconds(5));
        let steady = |from: usize| {
            let latency = self.latency(from..from + length);
            let lost: u64 = self.steps[from..from + length].iter().map(|step| step.lost).sum();
            lost == 0 && latency.count() > 0 && latency.at(0.99).milliseconds() <= before * 1.5
        };
        (fault..(end.min(self.steps.len()) + 1).saturating_sub(length)).find(|from| steady(*from))
    }

    /// Returns how many steps last this many seconds; at least one.
    fn of_seconds(&self, seconds: u64) -> usize {
        seconds.div_ceil(self.step_s) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MILLISECOND;

    /// Returns 30 s with one message per second and a latency of 10 ms, but 500 ms in seconds 12 to 14, and one loss in
    /// second 13.
    fn disturbed() -> Timeline {
        let mut timeline = Timeline::default();
        for second in 0..30 {
            let ms = if (12..15).contains(&second) { 500 } else { 10 };
            timeline.step(second * SECOND).latency.record(ms * MILLISECOND);
        }
        timeline.step(13 * SECOND).lost = 1;
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
        let online: Vec<_> = timeline.steps.iter().map(|step| step.online).collect();
        assert_eq!(online, [1, 1, 1]);
    }

    #[test]
    fn a_long_run_has_longer_steps_and_loses_no_count() {
        let (mut long, mut short) = (Timeline::default(), Timeline::default());
        for second in 0..1000 {
            long.step(second * SECOND).received += 1;
            long.step(second * SECOND).latency.record(10 * MILLISECOND);
        }
        long.online(0, 1000 * SECOND, 1000 * SECOND);
        assert_eq!((long.step_s, long.steps.len()), (2, 500));
        short.step(0).received += 1;
        short.merge(&long);
        let received: u64 = short.steps.iter().map(|step| step.received).sum();
        assert_eq!((received, short.latency(0..600).count()), (1001, 1000));
        assert!(short.steps[..500].iter().all(|step| step.online == 1));
        let mut parts = long.clone();
        parts.merge(&disturbed());
        assert_eq!((parts.step_s, parts.latency(0..600).count()), (2, 1030));
    }
}
