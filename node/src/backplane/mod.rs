//! The backplane: how nodes reach each other, and where commands and the registry are kept. Two kinds with one behaviour, and
//! one suite of tests: [`Local`] for a node alone, [`Redis`] for a cluster.
//!
//! What comes from it to this node is an [`Envelope`]; what this node has to report leaves in batches, on the backplane's own beat.

mod envelope;
mod local;
mod record;
mod redis;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use muster_protocol::{
    CommandId, NodeId, Selector, TerminalId,
    api::{CommandRequest, CommandView, NodeState, NodeView, Status, TerminalPage, TerminalView},
    frame,
    selector::Labels,
};

pub use self::{local::Local, record::Record, redis::Redis};
use crate::{card::Card, config::Config, hub::Hub, reports::Reports};

/// How often reports are taken: long enough to gather many into one write, short enough that nobody waits for them.
const REPORT_BEAT: Duration = Duration::from_millis(50);

/// One of the two kinds. There is one in a process, behind an `Arc`: that one kind is larger costs nothing.
#[allow(clippy::large_enum_variant)]
pub enum Backplane {
    /// A node alone.
    Local(Local),
    /// A cluster.
    Redis(Redis),
}

/// Why a request can't be met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Terminals that never were.
    #[error("no such terminal: {}", list(.0))]
    Unknown(Vec<TerminalId>),
    /// Terminals that have no session now.
    #[error("offline, and commands are not queued for offline terminals: {}", list(.0))]
    Offline(Vec<TerminalId>),
    /// The store is away.
    #[error("the store can't be reached, nothing was accepted: {0}")]
    Unavailable(String),
}

/// The first few ids, and how many more.
fn list(ids: &[TerminalId]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<_> = ids.iter().take(SHOWN).map(TerminalId::as_str).collect();
    let more = ids.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// A command about to be accepted.
#[derive(Debug)]
pub struct Draft {
    /// For whom.
    pub target: Selector,
    /// The frame that they get.
    pub frame: frame::Command,
    /// When it was asked for.
    pub created_at: Timestamp,
}

impl Draft {
    /// Names and dates a request.
    pub fn new(request: CommandRequest) -> Self {
        let created_at = Timestamp::now();
        let frame = frame::Command {
            id: CommandId(uuid::Uuid::now_v7()),
            name: request.name,
            payload: request.payload,
            expires_at: created_at.checked_add(request.expires_in).unwrap_or(Timestamp::MAX),
            cursor: None,
            stagger_ms: None,
        };
        Self { target: request.target, frame, created_at }
    }
}

/// Which terminals to list.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Those with all of these labels.
    pub labels: Labels,
    /// Those in this status.
    pub status: Option<Status>,
    /// Those after this id.
    pub after: Option<TerminalId>,
    /// So many at most.
    pub limit: usize,
}

/// An event as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventView {
    /// Its place in the order of events.
    pub cursor: String,
    /// Its kind.
    pub kind: String,
    /// A JSON object.
    pub data: String,
}

impl Backplane {
    /// The kind that the configuration asks for.
    pub async fn open(config: &Config, node: NodeView, hub: Arc<Hub>, reports: Arc<Reports>) -> anyhow::Result<Self> {
        match &config.redis {
            None => Ok(Self::Local(Local::new(node, config.keep, hub, reports))),
            Some(url) => Ok(Self::Redis(Redis::open(url, node, config.keep, hub, reports).await?)),
        }
    }

    /// Runs what it does by itself: taking reports and, in a cluster, leases and the subscription. Ends never.
    pub async fn run(self: Arc<Self>) {
        match &*self {
            Self::Local(local) => local.run().await,
            Self::Redis(redis) => redis.run().await,
        }
    }

    /// This node's id.
    pub fn node(&self) -> &NodeId {
        match self {
            Self::Local(local) => &local.node().id,
            Self::Redis(redis) => &redis.node().id,
        }
    }

    /// Puts a session into the registry. A store that is away does not keep a terminal out: it is told later.
    pub async fn join(&self, card: &Arc<Card>) {
        match self {
            Self::Local(local) => local.join(card),
            Self::Redis(redis) => redis.join(card).await,
        }
    }

    /// Takes a session out of the registry, if it is still the terminal's.
    pub async fn leave(&self, card: &Card, reason: &'static str) {
        match self {
            Self::Local(local) => local.leave(card, reason),
            Self::Redis(redis) => redis.leave(card, reason).await,
        }
    }

    /// Stores a command, freezes its targets and sends it on its way.
    pub async fn accept(&self, draft: Draft) -> Result<CommandView, Refusal> {
        match self {
            Self::Local(local) => local.accept(draft).await,
            Self::Redis(redis) => redis.accept(draft).await,
        }
    }

    /// A command as it stands, or none if it is not known (any more).
    pub async fn command(&self, id: CommandId) -> Result<Option<CommandView>, Refusal> {
        match self {
            Self::Local(local) => Ok(local.command(id)),
            Self::Redis(redis) => redis.command(id).await,
        }
    }

    /// A terminal as the registry has it.
    pub async fn terminal(&self, id: &TerminalId) -> Result<Option<TerminalView>, Refusal> {
        match self {
            Self::Local(local) => Ok(local.terminal(id)),
            Self::Redis(redis) => redis.terminal(id).await,
        }
    }

    /// A page of terminals, in the order of their ids.
    pub async fn terminals(&self, query: &Query) -> Result<TerminalPage, Refusal> {
        match self {
            Self::Local(local) => Ok(local.terminals(query)),
            Self::Redis(redis) => redis.terminals(query).await,
        }
    }

    /// The nodes that hold a lease.
    pub async fn nodes(&self) -> Result<Vec<NodeView>, Refusal> {
        match self {
            Self::Local(local) => Ok(vec![local.view()]),
            Self::Redis(redis) => redis.nodes().await,
        }
    }

    /// Events after a cursor, oldest first; without one, the cursor of the newest.
    pub async fn events(&self, after: Option<&str>) -> Result<(Vec<EventView>, String), Refusal> {
        match self {
            Self::Local(local) => Ok(local.events(after)),
            Self::Redis(redis) => redis.events(after).await,
        }
    }

    /// Whether this node can do its part now, or why not.
    pub fn ready(&self) -> Result<(), String> {
        match self {
            Self::Local(_) => Ok(()),
            Self::Redis(redis) => redis.ready(),
        }
    }

    /// Tells the cluster whether this node takes new sessions.
    pub async fn set_state(&self, state: NodeState) {
        match self {
            Self::Local(local) => local.set_state(state),
            Self::Redis(redis) => redis.set_state(state).await,
        }
    }

    /// Takes the last reports and gives the lease back.
    pub async fn close(&self) {
        match self {
            Self::Local(_) => {}
            Self::Redis(redis) => redis.close().await,
        }
    }
}
