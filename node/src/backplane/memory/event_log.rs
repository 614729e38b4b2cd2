//! The events that are stored. Beyond the bounds, of events and of bytes, the oldest are dropped.

use std::collections::VecDeque;

use super::budget::EVENT_BYTES;
use crate::{
    backplane::{event_signal::EventSignal, rules::EVENTS_MAX},
    reports::ReportedEvent,
};

/// Events, oldest first: the kind and the data of each.
pub(super) struct EventLog {
    pub(super) recent: VecDeque<(&'static str, Box<str>)>,
    pub(super) number: u64,
    bytes: u64,
    bytes_max: u64,
    pub(super) signal: EventSignal,
}

impl EventLog {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { recent: VecDeque::new(), number: 0, bytes: 0, bytes_max, signal: EventSignal::default() }
    }

    /// The bytes of all events.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn record(&mut self, event: &ReportedEvent) {
        self.push(event.kind, event.data());
    }

    pub(super) fn push(&mut self, kind: &'static str, data: String) {
        self.number += 1;
        self.bytes += size(&data);
        self.recent.push_back((kind, data.into()));
        self.signal.wake();
        while self.recent.len() > EVENTS_MAX || self.bytes > self.bytes_max {
            let Some((_, oldest)) = self.recent.pop_front() else { return };
            self.bytes -= size(&oldest);
        }
    }
}

/// The bytes that an event takes.
pub(super) fn size(data: &str) -> u64 {
    EVENT_BYTES + data.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_its_bytes_the_oldest_events_are_dropped() {
        let mut log = EventLog::new(2 * EVENT_BYTES + 10);
        ["12345", "1234", "123"].into_iter().for_each(|data| log.push("terminal.event", data.into()));
        assert_eq!((log.recent.len(), log.bytes(), log.number), (2, 2 * EVENT_BYTES + 7, 3));
        log.push("terminal.event", "x".repeat(100));
        assert_eq!((log.recent.len(), log.bytes()), (0, 0));
    }
}
