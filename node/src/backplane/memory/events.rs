//! Events in memory. Beyond the bounds, of events and of bytes, the oldest are dropped.

use std::collections::VecDeque;

use async_trait::async_trait;

use super::{MemoryBackplane, budget::EVENT_BYTES};
use crate::{
    backplane::{
        BackplaneError, Cursor, EventPage, EventStore, EventView, EventWatch, event_signal::EventSignal,
        rules::EVENTS_MAX,
    },
    reports::ReportedEvent,
};

/// The bytes of events at which a page has no more.
const PAGE_BYTES: u64 = 256 << 10;

/// Events, oldest first: the kind and the data of each.
pub(super) struct EventLog {
    recent: VecDeque<(&'static str, Box<str>)>,
    number: u64,
    bytes: u64,
    bytes_max: u64,
    signal: EventSignal,
}

#[async_trait]
impl EventStore for MemoryBackplane {
    /// The cursors of events carry the epoch, which makes cursors from before a restart recognizable.
    async fn events(&self, after: Option<&str>) -> Result<EventPage, BackplaneError> {
        let store = self.store();
        let newest = self.event_cursor(store.events.number);
        let Some(after) = after else { return Ok(EventPage { newest, ..EventPage::default() }) };
        let after =
            if after == "0-0" { None } else { Some(after.parse::<Cursor>().map_err(|_| BackplaneError::NoCursor)?) };
        let known = after.as_ref().filter(|after| after.epoch == self.epoch).map_or(0, |after| after.number);
        let recent = &store.events.recent;
        let first = store.events.number - recent.len() as u64;
        let skipped = usize::try_from(known.saturating_sub(first)).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let has_room = |((_, data), _): &(&(&str, Box<str>), u64)| {
            let has_room = bytes < PAGE_BYTES;
            bytes += size(data);
            has_room
        };
        let new = recent.iter().zip(first + 1..).skip(skipped).take_while(has_room).map(|((kind, data), number)| {
            EventView { cursor: self.event_cursor(number), kind: (*kind).to_owned(), data: data.to_string() }
        });
        let events: Vec<_> = new.collect();
        let more = skipped + events.len() < recent.len();
        let newest = if more { events.last().map(|last| last.cursor.clone()) } else { None }.unwrap_or(newest);
        let gap = after.is_some_and(|after| after.epoch != self.epoch || after.number < first);
        Ok(EventPage { events, newest, gap, more, ..EventPage::default() })
    }

    async fn watch_events(&self) -> EventWatch {
        self.store().events.signal.watch()
    }
}

impl MemoryBackplane {
    fn event_cursor(&self, number: u64) -> String {
        Cursor { epoch: self.epoch.clone(), number }.to_string()
    }
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
fn size(data: &str) -> u64 {
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
