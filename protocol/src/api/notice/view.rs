//! Notices as they are shown.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{NoticeKind, NoticeSecret};
use crate::{NoticeName, selector::MatchExpression};

/// A notice as it is shown. The secret is not part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct NoticeView {
    /// The name.
    pub name: NoticeName,
    /// Where messages are posted to.
    pub url: String,
    /// What the notice is about.
    pub on: BTreeSet<NoticeKind>,
    /// How long a terminal is offline before a message tells of it.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::DurationText"))]
    #[serde(with = "humantime_serde")]
    pub off_for: Duration,
    /// Which terminals the notice is about. Left out of the JSON for all.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub expression: Option<MatchExpression>,
    /// The name of the operator who set it last. Null without keys.
    pub by: Option<String>,
    /// When it was first set.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub created_at: Timestamp,
    /// Messages that wait to be delivered.
    pub waiting: u64,
    /// The bytes of these messages.
    pub waiting_bytes: u64,
    /// Messages that were never queued, since no more could wait.
    pub lost: u64,
}

/// The answer to `PUT /v1/notices/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct NewNotice {
    /// The secret, if the node has made it: it is shown this once. Left out of the JSON otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<NoticeSecret>,
    /// What is stored of the notice.
    #[serde(flatten)]
    pub notice: NoticeView,
}

/// The answer to `GET /v1/notices`: a page of the notices, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct NoticePage {
    /// The notices.
    pub notices: Vec<NoticeView>,
    /// What `after` takes for the next page. Null at the end.
    pub next: Option<String>,
}
