//! A command that is about to be accepted, and the result of accepting it.

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use muster_protocol::{
    CommandId, RolloutId, TerminalId,
    api::{CommandRequest, CommandView, TargetState},
    frame,
    partition::PartitionIndex,
};
use ring::digest::{SHA256, digest};
use uuid::Uuid;

use super::{
    command_record::{CommandRecord, accepted_at},
    redis::partition::selection::InvalidSet,
};

/// A request that has an id and a time.
#[derive(Debug)]
pub struct CommandDraft {
    /// The request as the operator sent it.
    pub request: CommandRequest,
    /// The frame that the targets get.
    pub frame: frame::Command,
    /// When the request arrived, by this node's clock.
    pub created_at: Timestamp,
    /// Who asks: the name of the operator's key. Empty on a node with `--insecure` that got no key.
    pub by: String,
    /// The Idempotency-Key, by which the store recognizes the same request if it comes again.
    pub key: Option<IdempotencyKey>,
}

/// An operator's name for a request. Operators do not share these names: if two operators use the same name, they mean
/// two requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The operator's name, a line break, and the value of the header, which has no line break.
    pub key: String,
    /// The hash of the body, in hexadecimal. The same key with another body is refused.
    pub body: String,
}

/// The result of accepting a draft.
#[derive(Debug)]
pub enum Accepted {
    /// The command is stored and on its way.
    New(Box<CommandView>),
    /// The command was accepted before, under the same key.
    Before(CommandId),
}

/// Why the backplane can't do what was asked. The text is shown to the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackplaneError {
    /// Terminals that are not in the registry.
    #[error("no such terminal: {}", list(.0))]
    Unknown(Vec<TerminalId>),
    /// Terminals that have no session now.
    #[error("offline, and \"offline\":\"skip\" was asked for: {}", list(.0))]
    Offline(Vec<TerminalId>),
    /// Terminals for which `--backlog` commands wait already.
    #[error("nothing was accepted: --backlog commands wait already for {}; cancel some, or wait for confirmations", list(.0))]
    Full(Vec<TerminalId>),
    /// A partition stores as many bytes as `--max-stored` allows it.
    #[error(
        "{0} bytes are stored in the partition, which is all there is room for (--max-stored); nothing was accepted"
    )]
    NoRoom(u64),
    /// A partition has as many open commands for many as a terminal can be told of when it joins.
    #[error("{0} commands for many terminals have not expired, which is all there is room for; nothing was accepted")]
    TooManyOpen(u64),
    /// As many revocations are stored as nodes apply.
    #[error(
        "{0} revocations are stored, which is all there is room for: take some back, or revoke by kid or issued_before"
    )]
    TooManyRevocations(u64),
    /// As many enrolments are stored as may be.
    #[error("{0} enrolments are stored, which is all there is room for: remove some, or wait until some have ended")]
    TooManyEnrolments(u64),
    /// As many keys are listed as may be.
    #[error("{0} keys are listed, which is all there is room for: wait until some have expired")]
    TooManyKeys(u64),
    /// As many rollouts are open as may be.
    #[error("{0} rollouts are open, which is all there is room for: stop some, or wait until one is done")]
    TooManyRollouts(u64),
    /// As many notices are stored as may be.
    #[error("{0} notices are set, which is all there is room for: remove one")]
    TooManyNotices(u64),
    /// The Idempotency-Key was used for another rollout.
    #[error("this Idempotency-Key was used for another request, which became rollout {0}")]
    OtherRollout(RolloutId),
    /// As many selectors are saved as may be.
    #[error("{0} selectors are saved, which is all there is room for: remove some")]
    TooManySelectors(u64),
    /// A command would have no target.
    #[error("no terminal is selected; nothing was accepted")]
    Nobody,
    /// The Idempotency-Key was used with another body.
    #[error("this Idempotency-Key was used for another request, which became command {0}")]
    OtherBody(CommandId),
    /// The key of a label by which terminals can't be selected, because it has more values than the store keeps sets
    /// for; empty if there are too many keys.
    #[error("{}", left_out(.0))]
    LeftOut(String),
    /// A key of a selector whose range would make a partition look at too many values or terminals.
    #[error(
        "the selector takes in too much by {0}: a partition has more values, or terminals with few alike, in this range than one call looks \
         at; give values with in (…), or a narrower range"
    )]
    Broad(String),
    /// The selector can't be evaluated.
    #[error(transparent)]
    Selector(#[from] InvalidSet),
    /// The text is no position in the order of events.
    #[error("Last-Event-ID is none that a stream of events gave out")]
    NoCursor,
    /// The text is no place in a list.
    #[error("after: give the value that the page before has as next")]
    NoPage,
    /// The store is away, and nothing was changed.
    #[error("the store can't be reached, and nothing was changed: {0}")]
    Unavailable(String),
    /// These partitions of the store are away, and nothing was changed.
    #[error("{} of the store can't be reached, and nothing was changed: {reason}", partition_names(.0), reason = .1)]
    Away(Vec<PartitionIndex>, String),
    /// The command is stored, and a partition went away before it had taken its share.
    #[error(
        "command {0} is stored, and not every partition has taken its share yet ({1}): any node finishes it when they answer, until it \
         expires; look at GET /v1/commands/{0}"
    )]
    Unfinished(CommandId, String),
    /// The command is cancelled, but not in these partitions, which were away.
    #[error("command {id} is cancelled, but not in {}, which did not answer: cancel it again", partition_names(.1), id = .0)]
    CancelledInPart(CommandId, Vec<PartitionIndex>),
    /// Another process holds this node's id.
    #[error("another process, at {0}, has this node's name (--node-id), and nothing was changed: ask another node")]
    Nameless(String),
    /// The store was asked and gave no answer, so nobody knows what it did.
    #[error(
        "the store was asked and gave no answer: it is not known whether it did what was asked for; ask again (for a command, with the same Idempotency-Key)"
    )]
    Unsure,
    /// The command is stored and on its way, but on fewer replicas than `--redis-replicas` asks for.
    #[error(
        "stored, but not known to be on as many replicas as --redis-replicas asks for: it may be lost with the master; ask again with the same Idempotency-Key"
    )]
    Unreplicated,
}

/// Returns why terminals can't be selected by a label.
fn left_out(key: &str) -> String {
    if key.is_empty() {
        return "terminals have labels with more than 1000 keys, and this key is not among those by which they can be selected"
            .into();
    }
    format!("label {key:?} has more than 1000 values, so terminals can't be selected by its values")
}

impl BackplaneError {
    /// Returns the error for a call that has made its change and failed after that: it must not say that nothing was
    /// changed.
    pub fn after_a_change(self) -> Self {
        match self {
            Self::Unavailable(_) | Self::Away(..) | Self::Nameless(_) => Self::Unsure,
            other => other,
        }
    }

    /// Returns the error with the name of the partition that was asked, if the store could not be reached.
    pub fn in_partition(self, partition: PartitionIndex) -> Self {
        match self {
            Self::Unavailable(reason) => Self::Away(vec![partition], reason),
            other => other,
        }
    }

    /// Returns whether nothing was changed because the store, or a part of it, was away.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Away(..))
    }
}

/// Returns the first 16 partitions in words, and the number of the others.
pub fn partition_names(partitions: &[PartitionIndex]) -> String {
    const SHOWN: usize = 16;
    let shown: Vec<_> = partitions.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = partitions.len().saturating_sub(SHOWN);
    let shown = if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) };
    if partitions.len() == 1 { format!("partition {shown}") } else { format!("partitions {shown}") }
}

/// Returns the first few ids, and the number of the others.
fn list(ids: &[TerminalId]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<_> = ids.iter().take(SHOWN).map(TerminalId::as_str).collect();
    let more = ids.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

impl CommandDraft {
    /// Gives a request an id and a time.
    pub fn new(request: CommandRequest, key: Option<IdempotencyKey>) -> Self {
        let id = CommandId(Uuid::now_v7());
        // The time inside the id, so that later times can be stored as differences to it.
        let created_at = accepted_at(id);
        let frame = frame::Command {
            id,
            name: request.name.clone(),
            payload: request.payload.clone(),
            expires_at: created_at.checked_add(request.expires_in).unwrap_or(Timestamp::MAX),
            cursor: None,
            stagger_ms: Some(request.stagger.as_millis() as u64).filter(|ms| *ms > 0),
        };
        Self { request, frame, created_at, by: String::new(), key }
    }

    /// Returns the draft with its author.
    #[must_use]
    pub fn asked_by(self, by: &str) -> Self {
        Self { by: by.to_owned(), ..self }
    }

    /// Returns the record of the command before any target has received the command.
    pub fn record(self, targets: u64) -> CommandRecord {
        let counts = [(TargetState::Queued, targets)].into();
        CommandRecord {
            frame: self.frame,
            request: self.request,
            by: self.by,
            created_at: self.created_at,
            cancelled: false,
            counts,
            unseen: 0,
            partial: Vec::new(),
            lost: Vec::new(),
            lost_targets: 0,
        }
    }
}

impl IdempotencyKey {
    /// The longest key, in bytes.
    pub const MAX: usize = 128;

    /// Returns a key of this operator; none unless `key` is 1 to [`Self::MAX`] characters of visible ASCII.
    pub fn new(operator: &str, key: &str, body: &[u8]) -> Option<Self> {
        let good = (1..=Self::MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        good.then(|| Self { key: format!("{operator}\n{key}"), body: HEXLOWER.encode(digest(&SHA256, body).as_ref()) })
    }
}
