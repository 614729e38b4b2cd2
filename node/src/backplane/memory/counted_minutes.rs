//! The counters of minutes that are stored.

use std::collections::VecDeque;

use crate::backplane::fleet_minute::{COUNTERS, MINUTES_MAX, MinuteCounters, TerminalGauges};

/// The counters of the last 24 hours, and what happened since the newest of them.
#[derive(Default)]
pub(super) struct CountedMinutes {
    counted: [u64; COUNTERS.len()],
    pub(super) minutes: VecDeque<(u32, MinuteCounters)>,
}

impl CountedMinutes {
    /// Counts what happened. `name` is one of [`COUNTERS`]; any other is not counted.
    pub(super) fn count(&mut self, name: &str, by: u64) {
        if let Some(at) = COUNTERS.iter().position(|counter| *counter == name) {
            self.counted[at] += by;
        }
    }

    /// The newest minute.
    pub(super) fn last(&self) -> Option<u32> {
        self.minutes.back().map(|(minute, _)| *minute)
    }

    /// Adds a minute. Beyond 24 hours the oldest is dropped.
    pub(super) fn write(&mut self, minute: u32, gauges: &TerminalGauges) {
        let counted = std::mem::take(&mut self.counted);
        self.minutes.push_back((minute, MinuteCounters::new(gauges, &counted)));
        if self.minutes.len() > MINUTES_MAX as usize {
            self.minutes.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_stored_and_what_was_counted_stands_in_one_minute() {
        let mut minutes = CountedMinutes::default();
        minutes.count("acked", 3);
        minutes.count("acked", 2);
        minutes.count("nothing", 1);
        for minute in 10..10 + MINUTES_MAX + 5 {
            minutes.write(minute, &TerminalGauges::default());
        }
        assert_eq!((minutes.minutes.len(), minutes.minutes[0].0), (MINUTES_MAX as usize, 15));
        minutes.count("done", 1);
        minutes.write(9000, &TerminalGauges::default());
        minutes.write(9001, &TerminalGauges::default());
        let done = |place: usize| {
            let (minute, counters) = &minutes.minutes[MINUTES_MAX as usize - place];
            counters.view(*minute, 0).commands["done"]
        };
        assert_eq!((done(2), done(1)), (1, 0));
    }
}
