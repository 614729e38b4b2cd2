//! What is stored of notices: what operators have set, how far all of them have come, and the messages that wait.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use muster_protocol::{
    NoticeName, TerminalId,
    api::{NoticeKind, NoticeSecret},
    selector::MatchExpression,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::AwayScore;

/// A notice as an operator has set it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeRecord {
    /// The name.
    pub name: NoticeName,
    /// Where messages are posted to.
    pub url: String,
    /// What the notice is about.
    pub on: BTreeSet<NoticeKind>,
    /// How long a terminal is offline before a message tells of it.
    pub off_for: Duration,
    /// Which terminals the notice is about; all if `None`.
    pub expression: Option<MatchExpression>,
    /// Signs the messages.
    pub secret: NoticeSecret,
    /// The name of the operator who set it last; empty without keys.
    pub by: String,
    /// When it was first set.
    pub created_at: Timestamp,
}

/// How far all notices have come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticePlace {
    /// Messages of the events up to this cursor are queued. Empty before the first event was looked for.
    #[serde(default)]
    pub cursor: String,
    /// The store's time when the last step was taken.
    #[serde(default)]
    pub heard_to: Timestamp,
    /// Of each notice about offline terminals, the terminals up to this score are told.
    #[serde(default)]
    pub away_told: BTreeMap<NoticeName, AwayScore>,
    /// The search for terminals whose events were not read in time. None if there is nothing to search for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survey: Option<NoticeSurvey>,
}

/// A search, in portions, for terminals that went offline while events were lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeSurvey {
    /// Terminals that were last seen before this were told of by events.
    pub since: Timestamp,
    /// The last terminal that was looked at.
    pub after: Option<TerminalId>,
}

/// A message that waits to be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeMessage {
    /// The id, which stays the same in each attempt.
    pub id: Uuid,
    /// What it tells of.
    pub kind: NoticeKind,
    /// The whole body of the request.
    pub body: String,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// The attempts that have failed.
    pub attempts: u32,
}

impl NoticeRecord {
    /// Whether it is about this kind.
    pub fn is_on(&self, kind: NoticeKind) -> bool {
        self.on.contains(&kind)
    }
}
