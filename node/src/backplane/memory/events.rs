//! Events in memory. Beyond the bound the oldest are dropped.

use std::collections::VecDeque;

use async_trait::async_trait;

use super::MemoryBackplane;
use crate::{
    backplane::{BackplaneError, Cursor, EventPage, EventStore, EventView, rules::EVENTS_MAX},
    reports::ReportedEvent,
};

/// Events, oldest first: the kind and the data of each.
#[derive(Default)]
pub(super) struct EventLog {
    recent: VecDeque<(String, String)>,
    number: u64,
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
        let new = recent.iter().zip(first + 1..).filter(|(_, number)| *number > known);
        let events = new.map(|((kind, data), number)| EventView {
            cursor: self.event_cursor(number),
            kind: kind.clone(),
            data: data.clone(),
        });
        let gap = after.is_some_and(|after| after.epoch != self.epoch || after.number < first);
        Ok(EventPage { events: events.collect(), newest, gap })
    }
}

impl MemoryBackplane {
    fn event_cursor(&self, number: u64) -> String {
        Cursor { epoch: self.epoch.clone(), number }.to_string()
    }
}

impl EventLog {
    pub(super) fn record(&mut self, event: &ReportedEvent) {
        self.push(event.kind, event.data());
    }

    pub(super) fn push(&mut self, kind: &str, data: String) {
        self.number += 1;
        self.recent.push_back((kind.into(), data));
        if self.recent.len() > EVENTS_MAX {
            self.recent.pop_front();
        }
    }
}
