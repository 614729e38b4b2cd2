//! What a backplane does for notices.

use async_trait::async_trait;
use muster_protocol::{NoticeName, TerminalId, api::NoticeAttempt};

use crate::backplane::{
    AwayScore, BackplaneError, CarriedNotices, NoticeChange, NoticeMessage, NoticeStep, StoredNotice, TriedMessage,
};

/// Notices, and the messages that wait for their receivers. One node at a time carries the notices on: it decides on
/// messages and sends them.
#[async_trait]
pub trait NoticeStore: Send + Sync {
    /// Stores a notice. Returns false if the notice with this name has changed its secret, was made or was removed
    /// since the caller read it; the caller must then read it again. So if two callers make a notice at once, the
    /// secret of only one counts.
    ///
    /// # Errors
    /// [`TooManyNotices`](BackplaneError::TooManyNotices) if the store is full.
    async fn put_notice(&self, change: NoticeChange<'_>) -> Result<bool, BackplaneError>;

    /// Removes a notice and the messages that wait for its receiver. Returns false if there is no such notice.
    async fn remove_notice(&self, name: &NoticeName) -> Result<bool, BackplaneError>;

    /// Returns all notices, by name.
    async fn notices(&self) -> Result<Vec<StoredNotice>, BackplaneError>;

    /// Returns the last attempts to deliver messages of a notice, newest first. Empty if there is no such notice.
    async fn notice_attempts(&self, name: &NoticeName) -> Result<Vec<NoticeAttempt>, BackplaneError>;

    /// Returns all notices to the node that carries them on. That is the first node that asks, until it has not asked
    /// for 5 s.
    async fn carried_notices(&self) -> Result<CarriedNotices, BackplaneError>;

    /// Stores a step of all notices, wholly or not at all. Returns how many messages found no room. Returns `None`, and
    /// stores nothing, if another node carries the notices on by now, or the step was decided on an older revision.
    async fn save_notices(&self, step: NoticeStep<'_>) -> Result<Option<u64>, BackplaneError>;

    /// Returns the terminals that went offline after one score and up to another, in that order: at most
    /// [`NOTICE_PORTION`](crate::backplane::NOTICE_PORTION).
    async fn away_between(
        &self,
        after: AwayScore,
        until: AwayScore,
    ) -> Result<Vec<(AwayScore, TerminalId)>, BackplaneError>;

    /// Returns at most `limit` messages of a notice that are due, in the order in which they became due.
    async fn due_messages(&self, name: &NoticeName, limit: usize) -> Result<Vec<NoticeMessage>, BackplaneError>;

    /// Records an attempt. A message without a next attempt stops waiting. For a message that does not wait, such as a
    /// test, only the attempt is recorded.
    async fn record_attempt(&self, tried: TriedMessage<'_>) -> Result<(), BackplaneError>;
}
