//! What a backplane does for its node: the contract of [`MemoryBackplane`](super::MemoryBackplane) and
//! [`RedisBackplane`](super::RedisBackplane), in thirteen parts. The tests in `tests/suite` hold both to it.
//!
//! | part | what it is about | in `memory/` and `redis/` |
//! |---|---|---|
//! | [`SessionStore`] | sessions of terminals that begin and end | `sessions.rs` |
//! | [`CommandStore`] | commands, their targets and their frames | `commands.rs` |
//! | [`TerminalRegistry`] | terminals that are known, online or not | `registry.rs` |
//! | [`EventStore`] | what happened | `events.rs` |
//! | [`TicketStore`] | tickets of web pages | `tickets.rs` |
//! | [`RevocationStore`] | tokens and keys that are refused though they have not expired | `revocations.rs` |
//! | [`EnrolmentStore`] | codes that are traded for a terminal's first token | `enrolments.rs` |
//! | [`KeyStore`] | operators' keys that are listed | `operator_keys.rs` |
//! | [`RolloutStore`] | rollouts, and the lists of their targets | `rollouts.rs` |
//! | [`SelectorStore`] | selectors that are saved under a name | `saved_selectors.rs` |
//! | [`NoticeStore`] | notices, and the messages that wait for their receivers | `notices.rs` |
//! | [`AuditStore`] | who changed what | `audit.rs` |
//! | [`Membership`] | this node among the nodes of its cluster | `membership.rs` |
//!
//! A store has one partition or several. While one of them answers, a list, a count or a page of events has what is there, and names
//! the partitions that are missing; what concerns a single terminal fails if its partition is away.
//!
//! Every method may wait for the store, for a few seconds at most. One that only reads fails with
//! [`BackplaneError::Unavailable`], [`BackplaneError::Away`] or [`BackplaneError::Nameless`]. One that changes something fails with these
//! only if nothing was changed, and with [`BackplaneError::Unsure`] if the store may have made the change. A change to several partitions
//! of which one went away in between is [`BackplaneError::Unfinished`], and is finished later, or
//! [`BackplaneError::CancelledInPart`]. No other method leaves a change half made.
//!
//! The traits are used as `dyn Backplane`: a call allocates once, which is little beside the work of any of these methods, and
//! no command or frame that goes to a terminal passes here one by one.

use std::{collections::HashMap, ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;
use muster_protocol::{
    CommandId, NodeId, NoticeName, RolloutId, SelectorName, TerminalId,
    api::{
        CommandRequest, DryRun, Enrolment, EnrolmentState, FleetHistory, FleetView, NodeList, NoticeAttempt,
        OperatorKey, ProxyView, Revocation, SavedSelector, TerminalHistory, TerminalPage, TerminalView,
    },
    frame,
    inbox::DrainRequest,
    selector::Labels,
};

use uuid::Uuid;

use super::{
    Accepted, AuditBatch, AuditPortion, AwayScore, BackplaneError, CarriedNotices, CarriedRollouts, CommandDraft,
    CommandQuery, CommandRecord, CreatedRollout, DegradedPartition, EnrolOutcome, EventPage, EventWatch, FoundCommands,
    FoundEnrolments, FoundKeys, FoundRollouts, FoundTargets, IdempotencyKey, JoinOutcome, JoinRequest, NoticeMessage,
    NoticeRecord, NoticeStep, RolloutChange, RolloutDraft, RolloutPlace, StoredNotice, StoredRollout, TargetQuery,
    TerminalQuery, TicketHash, TriedMessage,
};
use crate::{end::EndReport, hub::SessionInfo};

/// A whole backplane.
pub trait Backplane:
    SessionStore
    + CommandStore
    + TerminalRegistry
    + EventStore
    + TicketStore
    + RevocationStore
    + EnrolmentStore
    + KeyStore
    + RolloutStore
    + SelectorStore
    + NoticeStore
    + AuditStore
    + Membership
{
}

impl<
    T: SessionStore
        + CommandStore
        + TerminalRegistry
        + EventStore
        + TicketStore
        + RevocationStore
        + EnrolmentStore
        + KeyStore
        + RolloutStore
        + SelectorStore
        + NoticeStore
        + AuditStore
        + Membership,
> Backplane for T
{
}

/// Sessions of terminals that begin and end.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Registers a session as its terminal's and reads what the terminal missed, in one step: a command that is accepted later
    /// finds the session, and one that was accepted before is among the missed.
    ///
    /// An older session of the terminal ends, on whichever node it is. A store that is away does not keep a terminal out: the
    /// outcome is then [`JoinOutcome::Away`], and the session is asked to join again when it can be registered.
    async fn join(&self, request: &JoinRequest) -> JoinOutcome;

    /// Whether a terminal that begins a handshake can be registered, as far as is known without a cost: false for a new terminal while the
    /// store has no number for another one. What [`join`](Self::join) answers counts.
    async fn has_place_for(&self, terminal: &TerminalId) -> bool;

    /// Takes a session out of the registry if it is still its terminal's, and writes `terminal.offline` with the reason and the close
    /// frame. If `end` is a loss, the terminal's will is written too. A close that [tells](EndReport::is_telling) something stays in the
    /// terminal's record until the next one does.
    ///
    /// While the store is away this is done later. Beyond 100,000 such sessions the rest stays registered until the node's
    /// lease ends.
    async fn leave(&self, info: &Arc<SessionInfo>, end: EndReport);
}

/// Commands, their targets and their frames.
#[async_trait]
pub trait CommandStore: Send + Sync {
    /// Stores a command, fixes its targets and sends it on its way, in one step.
    ///
    /// A draft with an idempotency key that was used for the same body is not stored again: the result is
    /// [`Accepted::Before`].
    ///
    /// # Errors
    /// [`Unknown`](BackplaneError::Unknown), [`Offline`](BackplaneError::Offline) and [`Full`](BackplaneError::Full) if it can't be
    /// accepted for its targets, [`NoRoom`](BackplaneError::NoRoom) if there is no room for it,
    /// [`OtherBody`](BackplaneError::OtherBody) if the key was used for another body,
    /// [`Unfinished`](BackplaneError::Unfinished) if it is stored and a partition went away before it had its share, and
    /// [`Unreplicated`](BackplaneError::Unreplicated) if it is stored on too few servers.
    async fn accept(&self, draft: CommandDraft) -> Result<Accepted, BackplaneError>;

    /// The command that was accepted under a key, or may have been. `None` if none was.
    ///
    /// # Errors
    /// [`OtherBody`](BackplaneError::OtherBody) if the key was used for another body.
    async fn accepted_under(&self, key: &IdempotencyKey) -> Result<Option<CommandId>, BackplaneError>;

    /// Counts the terminals that a request would be for. Nothing is changed.
    ///
    /// # Errors
    /// [`Unknown`](BackplaneError::Unknown) and [`Offline`](BackplaneError::Offline), as for [`accept`](Self::accept).
    async fn estimate(&self, request: &CommandRequest) -> Result<DryRun, BackplaneError>;

    /// A command with the counts of its targets, or `None` if it is not known or not stored any more.
    async fn command(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError>;

    /// A page of the commands that are stored, newest first.
    async fn commands(&self, query: &CommandQuery) -> Result<FoundCommands, BackplaneError>;

    /// A page of the targets of a command. Empty if the command is not known.
    ///
    /// # Errors
    /// [`NoPage`](BackplaneError::NoPage) if no page has given out this place.
    async fn targets(&self, id: CommandId, query: &TargetQuery) -> Result<FoundTargets, BackplaneError>;

    /// Waits until a command is done or cancelled, for `limit` at most. It may return before that: whoever waits looks at the command, and
    /// waits again if it is still open.
    async fn wait(&self, id: CommandId, limit: Duration);

    /// The frames of commands for a terminal, in the order of `ids`; `None` for a command that is not stored any more or was
    /// cancelled. One that has expired may be among them.
    async fn frames(
        &self,
        terminal: &TerminalId,
        ids: &[CommandId],
    ) -> Result<Vec<Option<frame::Command>>, BackplaneError>;

    /// Cancels a command for the targets to which it was not sent yet. Returns the command after that, or `None` if it is not
    /// known. A command that has expired or was sent to all of its targets stays as it is.
    ///
    /// # Errors
    /// [`CancelledInPart`](BackplaneError::CancelledInPart) if only a part of the store could be reached.
    async fn cancel(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError>;
}

/// Terminals that are known: those that joined once and were not forgotten since.
#[async_trait]
pub trait TerminalRegistry: Send + Sync {
    /// A terminal, or `None` if it is not known.
    async fn terminal(&self, id: &TerminalId) -> Result<Option<TerminalView>, BackplaneError>;

    /// A page of the terminals that a query asks for, in ascending order of their ids.
    async fn terminals(&self, query: &TerminalQuery) -> Result<TerminalPage, BackplaneError>;

    /// The labels of those of these terminals that are known. A call to the store is about 64 terminals at most.
    async fn labels_of(&self, ids: &[TerminalId]) -> Result<HashMap<TerminalId, Arc<Labels>>, BackplaneError>;

    /// Replaces the labels that operators gave a terminal. Labels that the terminal has from elsewhere stay. Returns the
    /// terminal after that, or `None` if it is not known.
    async fn label(&self, id: &TerminalId, labels: &Labels) -> Result<Option<TerminalView>, BackplaneError>;

    /// Ends a terminal's session, on whichever node it is; the terminal may come back. False if it has none.
    async fn disconnect(&self, id: &TerminalId) -> Result<bool, BackplaneError>;

    /// Forgets a terminal and all that waits for it. If it is online, its session ends and `terminal.offline` is written with
    /// the reason `removed` and the labels that it had. False if it is not known.
    async fn forget(&self, id: &TerminalId) -> Result<bool, BackplaneError>;

    /// The last changes of a terminal, or `None` if it is not known. Empty with `--no-terminal-history`.
    async fn terminal_history(&self, id: &TerminalId) -> Result<Option<TerminalHistory>, BackplaneError>;

    /// Counts of all terminals.
    async fn fleet(&self) -> Result<FleetView, BackplaneError>;

    /// The counters of the last minutes, `minutes` of them at most: 1 to 1,440. A minute that no node wrote is left out.
    async fn fleet_history(&self, minutes: u32) -> Result<FleetHistory, BackplaneError>;
}

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

/// Tickets of web pages: each is good once, for [`TICKET_TTL`](super::TICKET_TTL), on any node.
#[async_trait]
pub trait TicketStore: Send + Sync {
    /// Stores a ticket and what it stands for. False, and nothing is stored, if a partition has 1,000 that have not expired.
    async fn put_ticket(&self, ticket: &TicketHash, stands_for: &str) -> Result<bool, BackplaneError>;

    /// Takes a ticket out of the store, and returns what it stands for. None if it was taken before, has expired, or never was. Of several
    /// that take it at once, one gets it.
    async fn take_ticket(&self, ticket: &TicketHash) -> Result<Option<String>, BackplaneError>;
}

/// Tokens and keys that are refused though they have not expired.
#[async_trait]
pub trait RevocationStore: Send + Sync {
    /// Stores a revocation until it ends. The nodes read it by themselves.
    ///
    /// # Errors
    /// [`TooManyRevocations`](BackplaneError::TooManyRevocations) if as many are stored as nodes apply.
    async fn revoke(&self, revocation: &Revocation) -> Result<(), BackplaneError>;

    /// Removes a revocation. False if it is not stored.
    async fn take_back(&self, id: Uuid) -> Result<bool, BackplaneError>;

    /// All revocations; some may have ended. None if their revision is `known`, which is empty for a caller that knows none. An empty
    /// revision has no revocations.
    async fn revocations(&self, known: &str) -> Result<Option<RevocationSet>, BackplaneError>;
}

/// All revocations at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationSet {
    /// Another text after each change.
    pub revision: String,
    /// The revocations.
    pub all: Vec<Revocation>,
}

/// Codes that are traded for a terminal's first token. The store has no code, only an id that follows from it.
#[async_trait]
pub trait EnrolmentStore: Send + Sync {
    /// Stores an enrolment until it ends.
    ///
    /// # Errors
    /// [`TooManyEnrolments`](BackplaneError::TooManyEnrolments) if as many are stored as may be.
    async fn add_enrolment(&self, enrolment: &Enrolment) -> Result<(), BackplaneError>;

    /// A terminal uses a code, from this address. In one step an enrolment that is taken is removed: whoever asks at the same time, at
    /// whichever node, finds none.
    async fn enrol(
        &self,
        id: &str,
        terminal: Option<&TerminalId>,
        address: &str,
    ) -> Result<EnrolOutcome, BackplaneError>;

    /// An operator approves the terminal that has used a code. Returns the state that the enrolment had, or `None` if there is none;
    /// only one that waits is approved.
    async fn approve_enrolment(&self, id: &str) -> Result<Option<EnrolmentState>, BackplaneError>;

    /// Removes an enrolment. False if there is none.
    async fn remove_enrolment(&self, id: &str) -> Result<bool, BackplaneError>;

    /// At most `limit` enrolments behind the first `after`, those first that end first. While some end or are removed, a page may miss
    /// as many.
    async fn enrolments(&self, after: u64, limit: u64) -> Result<FoundEnrolments, BackplaneError>;
}

/// Operators' keys that are listed until they expire: those that were made through the API, and others from their first use on. A key is
/// valid by its signature, listed or not.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Lists a key that was made.
    ///
    /// # Errors
    /// [`TooManyKeys`](BackplaneError::TooManyKeys) if as many are listed as may be.
    async fn add_key(&self, key: &OperatorKey) -> Result<(), BackplaneError>;

    /// Records when keys, 64 at most, were last used. Those that are not listed yet are listed, while there is room.
    async fn record_key_uses(&self, keys: &[OperatorKey]) -> Result<(), BackplaneError>;

    /// A key that is listed, or `None`.
    async fn key(&self, id: &str) -> Result<Option<OperatorKey>, BackplaneError>;

    /// At most `limit` keys behind the first `after`, those first that expire first. While some expire, a page may miss as many.
    async fn keys(&self, after: u64, limit: u64) -> Result<FoundKeys, BackplaneError>;
}

/// Rollouts, and the lists of their targets. A record is replaced only by who has read the last one, so each step is taken once.
#[async_trait]
pub trait RolloutStore: Send + Sync {
    /// Stores a rollout. A draft with an idempotency key that was used for the same body is not stored again.
    ///
    /// # Errors
    /// [`TooManyRollouts`](BackplaneError::TooManyRollouts) if as many are open as may be, [`NoRoom`](BackplaneError::NoRoom), and
    /// [`OtherRollout`](BackplaneError::OtherRollout) if the key was used for another body.
    async fn create_rollout(&self, draft: &RolloutDraft) -> Result<CreatedRollout, BackplaneError>;

    /// A rollout, or `None` if it is not stored.
    async fn rollout(&self, id: RolloutId) -> Result<Option<StoredRollout>, BackplaneError>;

    /// At most `limit` rollouts behind the place `after`, newest first.
    async fn rollouts(&self, after: Option<RolloutPlace>, limit: usize) -> Result<FoundRollouts, BackplaneError>;

    /// Replaces a record, and freezes targets in the same step: at most 512. False if the record has another revision by now. A rollout
    /// that is settled has no list of targets any more, and is forgotten `--keep` after its last command has expired.
    ///
    /// # Errors
    /// [`NoRoom`](BackplaneError::NoRoom) if there is no room for the targets.
    async fn save_rollout(&self, change: RolloutChange<'_>) -> Result<bool, BackplaneError>;

    /// The rollouts that are not settled, for the node that carries them on. The first node that asks does, until it has not asked for
    /// 5 s.
    async fn carried_rollouts(&self) -> Result<CarriedRollouts, BackplaneError>;

    /// Targets of a rollout by their positions in the frozen order. A call to the store is about 512 of them at most.
    async fn rollout_targets(&self, id: RolloutId, positions: Range<u64>) -> Result<Vec<TerminalId>, BackplaneError>;
}

/// Selectors that operators have saved. A command goes by what was saved when it was accepted.
#[async_trait]
pub trait SelectorStore: Send + Sync {
    /// Saves a selector, in place of one that has its name.
    ///
    /// # Errors
    /// [`TooManySelectors`](BackplaneError::TooManySelectors) if as many are saved as may be.
    async fn save_selector(&self, selector: &SavedSelector) -> Result<(), BackplaneError>;

    /// Those of these names that are saved; all if no name is given. In no order.
    async fn saved_selectors(&self, names: &[SelectorName]) -> Result<Vec<SavedSelector>, BackplaneError>;

    /// Removes a saved selector. False if there is none.
    async fn remove_selector(&self, name: &SelectorName) -> Result<bool, BackplaneError>;
}

/// Notices, and the messages that wait for their receivers. One node at a time carries them on.
#[async_trait]
pub trait NoticeStore: Send + Sync {
    /// Stores a notice, in the place of one with the same name. If it is the first of all, events are told of from `cursor` on.
    ///
    /// # Errors
    /// [`TooManyNotices`](BackplaneError::TooManyNotices) if as many are stored as may be.
    async fn put_notice(&self, record: &NoticeRecord, cursor: &str) -> Result<(), BackplaneError>;

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
    /// [`NOTICE_PORTION`](super::NOTICE_PORTION).
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

/// The audit: one record for each call that changes something. The oldest make room for new ones.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Writes a batch of records. After an error the same batch can be written again, and is written once.
    async fn append_audit(&self, batch: &AuditBatch) -> Result<(), BackplaneError>;

    /// The newest records before the one with the number `before`; a bounded number of them.
    async fn audit(&self, before: Option<u64>) -> Result<AuditPortion, BackplaneError>;
}

/// This node among the nodes of its cluster. A node alone is a cluster of one.
#[async_trait]
pub trait Membership: Send + Sync {
    /// Does what the backplane does by itself: it delivers commands, takes reports every 50 ms and, in a cluster, renews the
    /// lease and listens. Never returns. Call it once.
    async fn run(&self);

    /// This node's id.
    fn node(&self) -> &NodeId;

    /// The nodes that hold a lease, in ascending order of their ids.
    async fn nodes(&self) -> Result<NodeList, BackplaneError>;

    /// The proxies that have reported lately, in ascending order of their ids. It waits for nothing.
    fn proxies(&self) -> Vec<ProxyView>;

    /// Whether this node can store and deliver now, or why not, as a sentence for operators. While a part of the store works the node
    /// is ready; the partitions that do not work are returned.
    fn ready(&self) -> Result<Vec<DegradedPartition>, String>;

    /// Asks a node, which may be this one, to send sessions away. False if no such node listens.
    async fn request_drain(&self, node: &NodeId, request: DrainRequest) -> Result<bool, BackplaneError>;

    /// Tells the other nodes this node's state now, not only with the next renewal of its lease. A failure is logged.
    async fn announce(&self);

    /// Fails if this node ended by itself: another process has taken its id, or the store does not fit it any more. The error says which.
    fn check_end(&self) -> anyhow::Result<()>;

    /// Stores the last reports and gives the lease back. A failure is logged. Call it when [`run`](Self::run) has been dropped.
    async fn close(&self);
}
