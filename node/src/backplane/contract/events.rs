//! What a backplane does for those who follow events.

use async_trait::async_trait;

use crate::backplane::{BackplaneError, EventPage, EventWatch};

/// What happened, for those who follow it.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Events after the cursor `after`, oldest first; empty if there are none yet. Without a cursor, only the cursor of the
    /// newest event. A page has a part of them if there are many; the next page begins behind it.
    ///
    /// # Errors
    /// [`NoCursor`](BackplaneError::NoCursor) if no event log has given out this cursor.
    async fn events(&self, after: Option<&str>) -> Result<EventPage, BackplaneError>;

    /// Begins to watch for events. An event that is written after this has returned wakes the watch. It may be woken although there is
    /// none, and a message between nodes may be lost: whoever waits looks for events by itself too, from time to time.
    async fn watch_events(&self) -> EventWatch;
}
