//! What a backplane does for notices.

use async_trait::async_trait;
use muster_protocol::{NoticeName, TerminalId, api::NoticeAttempt};

use crate::backplane::{
    AwayScore, BackplaneError, CarriedNotices, NoticeChange, NoticeMessage, NoticeStep, StoredNotice, TriedMessage,
};

/// Notices, and the messages that wait for their receivers. One node at a time carries them on.
#[async_trait]
pub trait NoticeStore: Send + Sync {
    /// Stores a notice. False if the one with this name has another secret by now than the change was decided on, or is there or gone
    /// since: whoever changes it reads it again. So of two that make a notice at once, one has made its secret.
    ///
    /// # Errors
    /// [`TooManyNotices`](BackplaneError::TooManyNotices) if as many are stored as may be.
    async fn put_notice(&self, change: NoticeChange<'_>) -> Result<bool, BackplaneError>;

    /// Removes a notice and what waits for its receiver. False if there is none.
    async fn remove_notice(&self, name: &NoticeName) -> Result<bool, BackplaneError>;

    /// All notices, by name.
    async fn notices(&self) -> Result<Vec<StoredNotice>, BackplaneError>;

    /// The last attempts to deliver messages of a notice, newest first. Empty if there is no such notice.
    async fn notice_attempts(&self, name: &NoticeName) -> Result<Vec<NoticeAttempt>, BackplaneError>;

    /// All notices, for the node that carries them on. The first node that asks does, until it has not asked for 5 s.
    async fn carried_notices(&self) -> Result<CarriedNotices, BackplaneError>;

    /// Takes a step of all notices, whole. Returns how many messages found no room, or `None` if it was not taken, since another node
    /// carries the notices on by now or the step was decided on an older revision.
    async fn save_notices(&self, step: NoticeStep<'_>) -> Result<Option<u64>, BackplaneError>;

    /// Terminals that went off the line behind one score and up to another, in that order: at most
    /// [`NOTICE_PORTION`](crate::backplane::NOTICE_PORTION).
    async fn away_between(
        &self,
        after: AwayScore,
        until: AwayScore,
    ) -> Result<Vec<(AwayScore, TerminalId)>, BackplaneError>;

    /// At most `limit` messages of a notice that are due, those first that were due first.
    async fn due_messages(&self, name: &NoticeName, limit: usize) -> Result<Vec<NoticeMessage>, BackplaneError>;

    /// Records an attempt. A message that has no next attempt waits no more. One that does not wait, as a test, is only recorded.
    async fn record_attempt(&self, tried: TriedMessage<'_>) -> Result<(), BackplaneError>;
}
