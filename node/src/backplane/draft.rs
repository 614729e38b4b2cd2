//! A command about to be accepted, and what may become of that.

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use muster_protocol::{
    CommandId, TerminalId,
    api::{CommandRequest, CommandView, TargetState},
    frame,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::command_record::{CommandRecord, accepted_at};

/// A request with a name and a date.
#[derive(Debug)]
pub struct CommandDraft {
    /// As it was asked for.
    pub request: CommandRequest,
    /// The frame that the targets get.
    pub frame: frame::Command,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// By which the same request is known if it comes again.
    pub key: Option<IdempotencyKey>,
}

/// What an operator called a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The header's value.
    pub key: String,
    /// The hash of the body, in hexadecimal: the same key with another body is a mistake.
    pub body: String,
}

/// What became of a draft.
#[derive(Debug)]
pub enum Accepted {
    /// It is stored and on its way.
    New(CommandView),
    /// It was accepted before, under the same key.
    Before(CommandId),
}

/// Why a request can't be met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackplaneError {
    /// Terminals that never were.
    #[error("no such terminal: {}", list(.0))]
    Unknown(Vec<TerminalId>),
    /// Terminals that have no session now.
    #[error("offline, and \"offline\":\"skip\" was asked for: {}", list(.0))]
    Offline(Vec<TerminalId>),
    /// Terminals for which too much is waiting.
    #[error("as many commands as are kept (--backlog) wait for: {}; nothing was accepted", list(.0))]
    Full(Vec<TerminalId>),
    /// No room for so many more targets.
    #[error("{0} targets of commands are kept, which is all there is room for (--max-targets); nothing was accepted")]
    Crowded(u64),
    /// The same key with another body.
    #[error("this Idempotency-Key was used for another request, which became command {0}")]
    OtherBody(CommandId),
    /// Not a place in the order of events.
    #[error("Last-Event-ID is none that a stream of events gave out")]
    NoCursor,
    /// The store is away, and nothing was changed.
    #[error("the store can't be reached, and nothing was changed: {0}")]
    Unavailable(String),
    /// Another process has this node's name.
    #[error("another process, at {0}, has this node's name (--node-id), and nothing was changed: ask another node")]
    Nameless(String),
    /// The store was asked, and nobody knows what it did.
    #[error(
        "the store was asked and gave no answer: it is not known whether it did what was asked for; ask again (for a command, with the same Idempotency-Key)"
    )]
    Unsure,
    /// It is stored and on its way, but by too few servers.
    #[error(
        "stored, but not known to be on as many replicas as --redis-replicas asks for: it may be lost with the master; ask again with the same Idempotency-Key"
    )]
    Unreplicated,
}

impl BackplaneError {
    /// Of a look at what was changed before: whatever becomes of the look, the change was made.
    pub fn after_a_change(self) -> Self {
        match self {
            Self::Unavailable(_) | Self::Nameless(_) => Self::Unsure,
            other => other,
        }
    }
}

/// The first few ids, and how many more.
fn list(ids: &[TerminalId]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<_> = ids.iter().take(SHOWN).map(TerminalId::as_str).collect();
    let more = ids.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

impl CommandDraft {
    /// Names and dates a request.
    pub fn new(request: CommandRequest, key: Option<IdempotencyKey>) -> Self {
        let id = CommandId(Uuid::now_v7());
        // The id's own time, so that whoever has the id can tell how long after that something happened.
        let created_at = accepted_at(id);
        let frame = frame::Command {
            id,
            name: request.name.clone(),
            payload: request.payload.clone(),
            expires_at: created_at.checked_add(request.expires_in).unwrap_or(Timestamp::MAX),
            cursor: None,
            stagger_ms: Some(request.stagger.as_millis() as u64).filter(|ms| *ms > 0),
        };
        Self { request, frame, created_at, key }
    }

    /// How it begins: no target has got anything yet.
    pub fn record(self, targets: u64) -> CommandRecord {
        let counts = [(TargetState::Queued, targets)].into();
        CommandRecord {
            frame: self.frame,
            request: self.request,
            created_at: self.created_at,
            cancelled: false,
            counts,
        }
    }
}

impl IdempotencyKey {
    /// The longest that is taken.
    pub const MAX: usize = 128;

    /// A key, if it is visible ASCII and not too long.
    pub fn new(key: &str, body: &[u8]) -> Option<Self> {
        let good = (1..=Self::MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        good.then(|| Self { key: key.to_owned(), body: HEXLOWER.encode(&Sha256::digest(body)) })
    }
}
