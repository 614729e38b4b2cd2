//! What a backplane does for its node: the contract of [`MemoryBackplane`](super::MemoryBackplane) and
//! [`RedisBackplane`](super::RedisBackplane), in thirteen parts. The tests in `tests/suite` hold both to it.
//!
//! | part | what it is about | in `contract/`, `memory/` and `redis/` |
//! |---|---|---|
//! | [`SessionStore`] | sessions of terminals that begin and end | `sessions.rs` |
//! | [`CommandStore`] | commands, their targets and their frames | `commands.rs` |
//! | [`TerminalRegistry`] | terminals that are known, online or not | `registry.rs`; in `redis/` `terminals.rs` |
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
//! A store has one partition or several. While at least one partition answers, a list, a count or a page of events has
//! what the answering partitions have, and names the missing partitions. A call about a single terminal fails if the
//! terminal's partition is away.
//!
//! Every method may wait for the store, for a few seconds at most. A method that only reads fails with
//! [`BackplaneError::Unavailable`], [`BackplaneError::Away`] or [`BackplaneError::Nameless`]. A method that changes
//! something fails with these only if nothing was changed, and with [`BackplaneError::Unsure`] if the store may have
//! made the change. If a partition goes away in the middle of a change to several, accepting a command fails with
//! [`BackplaneError::Unfinished`] and is finished later; cancelling a command fails with
//! [`BackplaneError::CancelledInPart`]. No other method leaves a change half made.
//!
//! The traits are used as `dyn Backplane`, so each call allocates once. That is little beside the work of any of these
//! methods, and commands for terminals do not pass through these traits one by one.
//!
//! [`BackplaneError::Unavailable`]: super::BackplaneError::Unavailable
//! [`BackplaneError::Away`]: super::BackplaneError::Away
//! [`BackplaneError::Nameless`]: super::BackplaneError::Nameless
//! [`BackplaneError::Unsure`]: super::BackplaneError::Unsure
//! [`BackplaneError::Unfinished`]: super::BackplaneError::Unfinished
//! [`BackplaneError::CancelledInPart`]: super::BackplaneError::CancelledInPart

mod audit;
mod commands;
mod enrolments;
mod events;
mod membership;
mod notices;
mod operator_keys;
mod registry;
mod revocations;
mod rollouts;
mod saved_selectors;
mod sessions;
mod tickets;

pub use self::{
    audit::AuditStore,
    commands::CommandStore,
    enrolments::EnrolmentStore,
    events::EventStore,
    membership::Membership,
    notices::NoticeStore,
    operator_keys::KeyStore,
    registry::TerminalRegistry,
    revocations::{RevocationSet, RevocationStore},
    rollouts::RolloutStore,
    saved_selectors::SelectorStore,
    sessions::SessionStore,
    tickets::TicketStore,
};

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
