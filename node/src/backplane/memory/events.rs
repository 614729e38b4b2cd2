//! Events of a node alone.

use async_trait::async_trait;

use super::{MemoryBackplane, event_log::size};
use crate::backplane::{BackplaneError, Cursor, EventPage, EventStore, EventView, EventWatch};

/// The bytes of events at which a page has no more.
const PAGE_BYTES: u64 = 256 << 10;

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
