//! The backplane: it stores commands and the registry of terminals, and carries commands between nodes. There are two
//! backplanes: [`MemoryBackplane`] for a node alone, and [`RedisBackplane`] for a cluster. [`contract`] says what both
//! do.
//!
//! ```text
//!   operator ── CommandDraft ──▶ accept ──▶ CommandRecord (stored)
//!                                   └─────▶ Envelope ──▶ every node ── pacer, if at a rate ──▶ Deliver ──▶ sessions
//!   session ─── JoinRequest ───▶ join ────▶ ResumePoint: what the terminal missed, and the Cursor to go on from
//!   session ─── Reports ───────▶ (every 50 ms) ──▶ CommandRecord, TerminalRecord, events
//! ```
//!
//! Both keep these promises. The commands of a partition have one order, by their numbers, and reach each shard in this
//! order. Storing a command and looking up the sessions of its targets is one step; registering a session and reading
//! what it missed is one step too. So each command is either among the missed ones, or reaches the session live.

mod audit;
mod changes;
mod clock;
mod command_query;
mod command_record;
pub mod contract;
mod cursor;
mod deliver;
mod draft;
mod enrolments;
mod event_signal;
mod fleet_minute;
mod join;
mod memory;
mod notice;
mod operator_keys;
mod pacer;
mod query;
pub mod redis;
mod rollout;
mod rules;
mod terminal_record;
mod ticket;
mod waiters;
mod warning_pace;

use std::{sync::Arc, time::Duration};

use muster_protocol::{api::NodeView, partition::Partitions};

pub use self::{
    audit::{AuditBatch, AuditPortion, QueuedRecord},
    clock::{SystemClock, TimeSource},
    command_query::{CommandFilter, CommandPlace, CommandQuery, FoundCommands, FoundTarget, FoundTargets, TargetQuery},
    command_record::{CommandRecord, TargetRecord, accepted_at},
    contract::{
        AuditStore, Backplane, CommandStore, EnrolmentStore, EventStore, KeyStore, Membership, NoticeStore,
        RevocationSet, RevocationStore, RolloutStore, SelectorStore, SessionStore, TerminalRegistry, TicketStore,
    },
    cursor::Cursor,
    deliver::{Deliver, encode},
    draft::{Accepted, BackplaneError, CommandDraft, IdempotencyKey, partition_names},
    enrolments::{EnrolOutcome, FoundEnrolments},
    event_signal::EventWatch,
    fleet_minute::MINUTES_MAX,
    join::{GapReason, JoinOutcome, JoinRequest, MissedCommand, ResumePoint},
    memory::MemoryBackplane,
    notice::{
        AwayScore, CarriedNotices, NoticeChange, NoticeMessage, NoticePlace, NoticeRecord, NoticeStep, NoticeSurvey,
        NoticeTurn, StoredNotice, TriedMessage,
    },
    operator_keys::FoundKeys,
    query::{DegradedPartition, EventPage, EventView, TerminalQuery},
    redis::RedisBackplane,
    rollout::{
        CarriedRollouts, CreatedRollout, FoundRollouts, FrozenPlace, FrozenTargets, HeldPortion, PortionRecord,
        PositionSet, RolloutChange, RolloutDraft, RolloutPlace, RolloutRecord, StoredRollout, frozen_order,
    },
    rules::{NOTICE_PORTION, NOTICES_CARRIED_FOR, ROLLOUT_BYTES, ROLLOUT_STEP, ROLLOUTS_CARRIED_FOR, TICKET_TTL},
    terminal_record::TerminalRecord,
    ticket::TicketHash,
};
use crate::{
    config::Config,
    fence::Fences,
    hub::{Hub, Lifecycle},
    metrics::Metrics,
    reports::Reports,
};

/// The interval at which a backplane takes a node's reports. It is long enough to gather many reports into one write,
/// and short enough that nobody waits for them.
pub const REPORT_INTERVAL: Duration = Duration::from_millis(50);

/// What a backplane needs of the node that it belongs to.
pub struct Host {
    /// The node as its lease describes it when it starts.
    pub view: NodeView,
    /// The table of sessions.
    pub hub: Arc<Hub>,
    /// The fences of the node: until when the node may act as the owner of its sessions, for each partition of the
    /// store. The backplane extends them.
    pub fences: Arc<Fences>,
    /// Whether the node takes new sessions.
    pub lifecycle: Arc<Lifecycle>,
    /// Where commands for the node's sessions go.
    pub sessions: Arc<dyn Deliver>,
    /// What the node's sessions report.
    pub reports: Arc<Reports>,
    /// The interval at which reports are taken. A node uses [`REPORT_INTERVAL`].
    pub report_interval: Duration,
    /// The node's clock, by which it judges what has expired and how far the clock of Redis is off. A node uses
    /// [`SystemClock`].
    pub clock: Arc<dyn TimeSource>,
    /// The metrics of the node.
    pub metrics: Arc<Metrics>,
}

/// Returns the partitions of the store that the configuration asks for. A store in memory has one.
pub fn partitions(config: &Config) -> Partitions {
    if config.redis.url.is_some() { config.partitions } else { Partitions::ONE }
}

/// Opens the backplane that the configuration asks for: in memory, or in Redis if there is `--redis`.
///
/// # Errors
/// If Redis can't be reached within 10 s, or another process holds the lease of this node's id and renews it.
pub async fn open(config: &Config, host: Host) -> anyhow::Result<Arc<dyn Backplane>> {
    match &config.redis.url {
        None => Ok(Arc::new(MemoryBackplane::new(config, host))),
        Some(url) => Ok(Arc::new(RedisBackplane::open(url, config.partitions, config, host).await?)),
    }
}
