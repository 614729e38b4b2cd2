//! What a backplane does for those who follow events.

use async_trait::async_trait;

use crate::backplane::{BackplaneError, EventPage, EventWatch};

/// The event log, for those who follow events.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Returns a page of the events after the cursor `after`, oldest first; an empty page if there are none yet.
    /// Without a cursor, returns no events and the cursor of the newest event.
    ///
    /// # Errors
    /// [`NoCursor`](BackplaneError::NoCursor) if no event log has given out this cursor.
    async fn events(&self, after: Option<&str>) -> Result<EventPage, BackplaneError>;

    /// Begins to watch for events. An event that is written after the return wakes the watch. The watch may also be
    /// woken without an event, and a message between nodes may be lost. So the caller must also look for events by
    /// itself from time to time.
    async fn watch_events(&self) -> EventWatch;
}
