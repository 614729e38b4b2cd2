//! What became of messages.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::NoticeKind;

/// What became of one attempt to deliver a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AttemptResult {
    /// The receiver has answered with a status from 200 to 299.
    Delivered,
    /// The attempt has failed. If the attempt has a next one, the message waits for that.
    Failed,
    /// The attempt has failed and was the last one.
    GivenUp,
}

impl AttemptResult {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::GivenUp => "given_up",
        }
    }
}

/// One attempt to deliver a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct NoticeAttempt {
    /// When it began.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub at: Timestamp,
    /// The id of the message: the same in each attempt.
    pub message: Uuid,
    /// What the message tells of.
    pub kind: NoticeKind,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// What became of it.
    pub result: AttemptResult,
    /// The status of the receiver's answer. Null without an answer.
    pub status: Option<u16>,
    /// Why it failed. Null if it did not.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// When the message is tried again, at the earliest. Null if it is not.
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<crate::json_schema::Time>"))]
    pub next_at: Option<Timestamp>,
}

/// The answer to `GET /v1/notices/{name}/attempts`: a page of the last 50, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct NoticeAttempts {
    /// The attempts.
    pub attempts: Vec<NoticeAttempt>,
    /// What `after` takes for the next page. Null at the end.
    pub next: Option<String>,
}
