//! What passes between notices and their store.

use std::time::Duration;

use jiff::Timestamp;
use muster_protocol::{
    NodeId, NoticeName, TerminalId,
    api::{NoticeAttempt, NoticeSecret},
};

use super::{AwayScore, NoticeMessage, NoticePlace, NoticeRecord};

/// A notice as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredNotice {
    /// The record.
    pub record: NoticeRecord,
    /// Messages that wait.
    pub waiting: u64,
    /// The bytes of these.
    pub waiting_bytes: u64,
    /// Messages that were not queued for want of room.
    pub lost: u64,
}

/// A notice that is to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NoticeChange<'a> {
    /// The record as it is to be.
    pub record: &'a NoticeRecord,
    /// The secret of the notice that is replaced, from which the change was decided. None if there is to be none with this name.
    pub before: Option<&'a NoticeSecret>,
    /// From where on events are told of if this is the first notice of all. Empty for the newest event.
    pub cursor: &'a str,
}

/// What a node is to do for notices.
#[derive(Debug, Clone, Default)]
pub struct CarriedNotices {
    /// The store's time.
    pub now: Timestamp,
    /// What there is. None if there is no notice, or another node carries them on.
    pub turn: Option<NoticeTurn>,
}

/// All notices, for the node that carries them on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoticeTurn {
    /// How far they have come.
    pub place: NoticePlace,
    /// Grows with each step. A step is taken only from the revision that it was decided on.
    pub revision: u64,
    /// The notices, by name.
    pub notices: Vec<StoredNotice>,
    /// Nodes that no message has told of, at most 16, and when their leases were found to have run out.
    pub lost_nodes: Vec<(NodeId, Timestamp)>,
}

/// A step of all notices. The store takes it whole or not at all.
#[derive(Debug, Clone, Copy)]
pub struct NoticeStep<'a> {
    /// How far they have come then.
    pub place: &'a NoticePlace,
    /// The revision that is replaced.
    pub revision: u64,
    /// Terminals that went offline, at most 512.
    pub off: &'a [(AwayScore, TerminalId)],
    /// Terminals that are back, at most 512.
    pub back: &'a [TerminalId],
    /// Every notice has told of the offline terminals up to this score: they are forgotten.
    pub forget_to: AwayScore,
    /// Lost nodes of which no more is to be told.
    pub nodes: &'a [NodeId],
    /// Messages that are queued, at most 512, each for the notice with this name. One of a notice that is removed by now is left out.
    pub messages: &'a [(NoticeName, NoticeMessage)],
}

/// A message that was tried.
#[derive(Debug, Clone, Copy)]
pub struct TriedMessage<'a> {
    /// The notice.
    pub notice: &'a NoticeName,
    /// The message as it is to wait.
    pub message: &'a NoticeMessage,
    /// How long it waits for its next attempt. None if there is none.
    pub wait: Option<Duration>,
    /// What is shown of the attempt.
    pub attempt: &'a NoticeAttempt,
}
