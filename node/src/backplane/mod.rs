//! The backplane: how nodes reach each other, and where commands and the registry are kept. Two kinds with one behaviour, and
//! one suite of tests: [`MemoryBackplane`] for a node alone, [`RedisBackplane`] for a cluster.
//!
//! A command comes in as a [`CommandDraft`], lives as a [`CommandRecord`], travels as an [`Envelope`](envelope) and, at a rate, through the
//! [`pacer`]; a session comes in as a [`JoinRequest`] and goes on from its [`Cursor`]. What this node's sessions have to report leaves
//! in batches, on the backplane's own beat.
//!
//! Always: commands have one order, by their numbers, and reach each shard in it. A command is stored and its owner looked up in
//! one step; a session is registered and what it missed is read in one step. So none falls between.

mod command_record;
mod cursor;
mod deliver;
mod draft;
mod envelope;
mod join;
mod memory;
mod pacer;
mod redis;
mod rules;
mod terminal_record;

use std::{sync::Arc, time::Duration};

use muster_protocol::{
    CommandId, NodeId, Payload, TerminalId,
    api::{CommandRequest, DryRun, FleetView, NodeView, Status, TerminalPage, TerminalView},
    frame,
    inbox::DrainRequest,
    selector::Labels,
};

use self::envelope::Envelope;
pub use self::{
    command_record::{CommandRecord, TargetRecord, accepted_at},
    cursor::Cursor,
    deliver::Deliver,
    draft::{Accepted, BackplaneError, CommandDraft, IdempotencyKey},
    envelope::encode,
    join::{GapReason, JoinOutcome, JoinRequest, MissedCommand, ResumePoint},
    memory::MemoryBackplane,
    redis::RedisBackplane,
    terminal_record::TerminalRecord,
};
use crate::{
    config::Config,
    end::SessionEnd,
    fence::Fence,
    hub::{Hub, Lifecycle, SessionInfo},
    metrics::Metrics,
    reports::Reports,
};

/// How often reports are taken: long enough to gather many into one write, short enough that nobody waits for them.
const REPORT_BEAT: Duration = Duration::from_millis(50);

/// One of the two kinds. There is one in a process, behind an `Arc`: that one kind is larger costs nothing.
#[allow(clippy::large_enum_variant)]
pub enum Backplane {
    /// A node alone.
    Memory(MemoryBackplane),
    /// A cluster.
    Redis(RedisBackplane),
}

/// What a backplane needs of the node that it belongs to.
pub struct Host {
    /// The node as its lease describes it when it starts.
    pub view: NodeView,
    /// The table of sessions.
    pub hub: Arc<Hub>,
    /// Until when the node may act as the owner of its sessions. The backplane moves it.
    pub fence: Arc<Fence>,
    /// Whether the node takes new sessions.
    pub lifecycle: Arc<Lifecycle>,
    /// Where commands for the node's sessions go.
    pub sessions: Arc<dyn Deliver>,
    /// What the node's sessions report.
    pub reports: Arc<Reports>,
    /// The metrics of the node.
    pub metrics: Arc<Metrics>,
}

/// Which terminals to list.
#[derive(Debug, Clone, Default)]
pub struct TerminalQuery {
    /// Those with all of these labels.
    pub labels: Labels,
    /// Those in this status.
    pub status: Option<Status>,
    /// Those whose ids begin so.
    pub prefix: String,
    /// Those after this id.
    pub after: Option<TerminalId>,
    /// So many at most.
    pub limit: usize,
}

impl TerminalQuery {
    /// Whether a terminal with the right labels is wanted.
    fn wants(&self, view: &TerminalView) -> bool {
        self.status.is_none_or(|status| view.status == status)
    }

    /// The first id that could be wanted, without saying whether it is itself.
    fn begin(&self) -> &str {
        self.after
            .as_ref()
            .map(TerminalId::as_str)
            .filter(|after| *after > self.prefix.as_str())
            .unwrap_or(&self.prefix)
    }
}

/// Events after a place in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventPage {
    /// Oldest first.
    pub kept: Vec<EventView>,
    /// The place of the last.
    pub newest: String,
    /// Whether some before them are not kept any more.
    pub gap: bool,
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

/// Calls the same method of whichever kind it is.
macro_rules! on {
    ($backplane:expr, $kind:ident => $call:expr) => {
        match $backplane {
            Backplane::Memory($kind) => $call,
            Backplane::Redis($kind) => $call,
        }
    };
}

impl Backplane {
    /// The kind that the configuration asks for.
    pub async fn open(config: &Config, host: Host) -> anyhow::Result<Self> {
        match &config.redis {
            None => Ok(Self::Memory(MemoryBackplane::new(config, host))),
            Some(url) => Ok(Self::Redis(RedisBackplane::open(url, config, host).await?)),
        }
    }

    /// Runs what it does by itself: delivering, taking reports and, in a cluster, leases and the subscription. Ends never.
    pub async fn run(self: Arc<Self>) {
        on!(&*self, kind => kind.run().await)
    }

    /// This node's id.
    pub fn node(&self) -> &NodeId {
        on!(self, kind => &kind.node().id)
    }

    /// Registers a session, and tells it where to begin. A store that is away does not keep a terminal out.
    pub async fn join(&self, request: &JoinRequest) -> JoinOutcome {
        on!(self, kind => kind.join(request).await)
    }

    /// Takes a session out of the registry, if it is still the terminal's.
    pub async fn leave(&self, info: &Arc<SessionInfo>, end: SessionEnd) {
        on!(self, kind => kind.leave(info, end).await)
    }

    /// The frames of commands, for those that are still known.
    pub async fn frames(&self, ids: &[CommandId]) -> Result<Vec<Option<frame::Command>>, BackplaneError> {
        on!(self, kind => kind.frames(ids).await)
    }

    /// Stores a command, freezes its targets and sends it on its way.
    pub async fn accept(&self, draft: CommandDraft) -> Result<Accepted, BackplaneError> {
        on!(self, kind => kind.accept(draft).await)
    }

    /// For how many terminals a request would be.
    pub async fn estimate(&self, request: &CommandRequest) -> Result<DryRun, BackplaneError> {
        on!(self, kind => kind.estimate(request).await)
    }

    /// A command as it stands, or none if it is not known (any more).
    pub async fn command(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError> {
        on!(self, kind => kind.command(id).await)
    }

    /// All targets of a command, in the order of their ids.
    pub async fn targets(&self, id: CommandId) -> Result<Vec<(TerminalId, TargetRecord)>, BackplaneError> {
        let mut targets = on!(self, kind => kind.targets(id).await)?;
        targets.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        Ok(targets)
    }

    /// What these terminals last said of a command.
    pub async fn replies(
        &self,
        id: CommandId,
        terminals: &[TerminalId],
    ) -> Result<Vec<Option<Payload>>, BackplaneError> {
        on!(self, kind => kind.replies(id, terminals).await)
    }

    /// Takes back what of a command was not sent: the command as it stands then, or none if it is not known.
    pub async fn cancel(&self, id: CommandId) -> Result<Option<CommandRecord>, BackplaneError> {
        if !on!(self, kind => kind.cancel(id).await)? {
            return Ok(None);
        }
        self.command(id).await.map_err(BackplaneError::after_a_change)
    }

    /// A terminal as the registry has it.
    pub async fn terminal(&self, id: &TerminalId) -> Result<Option<TerminalView>, BackplaneError> {
        on!(self, kind => kind.terminal(id).await)
    }

    /// A page of terminals, in the order of their ids.
    pub async fn terminals(&self, query: &TerminalQuery) -> Result<TerminalPage, BackplaneError> {
        on!(self, kind => kind.terminals(query).await)
    }

    /// Gives a terminal these labels in place of those that it was given before: the terminal as it is then, or none if it is not
    /// known.
    pub async fn label(&self, id: &TerminalId, labels: &Labels) -> Result<Option<TerminalView>, BackplaneError> {
        if !on!(self, kind => kind.label(id, labels).await)? {
            return Ok(None);
        }
        self.terminal(id).await.map_err(BackplaneError::after_a_change)
    }

    /// Ends a terminal's session, wherever it is; false if it has none.
    pub async fn disconnect(&self, id: &TerminalId) -> Result<bool, BackplaneError> {
        on!(self, kind => kind.disconnect(id).await)
    }

    /// Forgets a terminal and ends its session; false if it is not known.
    pub async fn forget(&self, id: &TerminalId) -> Result<bool, BackplaneError> {
        on!(self, kind => kind.forget(id).await)
    }

    /// The whole fleet in numbers.
    pub async fn fleet(&self) -> Result<FleetView, BackplaneError> {
        on!(self, kind => kind.fleet().await)
    }

    /// The nodes that hold a lease.
    pub async fn nodes(&self) -> Result<Vec<NodeView>, BackplaneError> {
        on!(self, kind => kind.nodes().await)
    }

    /// Events after a cursor, oldest first; without one, the cursor of the newest.
    pub async fn events(&self, after: Option<&str>) -> Result<EventPage, BackplaneError> {
        on!(self, kind => kind.events(after).await)
    }

    /// Whether this node can do its part now, or why not.
    pub fn ready(&self) -> Result<(), String> {
        on!(self, kind => kind.ready())
    }

    /// Asks a node, which may be this one, to send sessions away. Whether it is there.
    pub async fn depart(&self, node: &NodeId, departure: DrainRequest) -> Result<bool, BackplaneError> {
        on!(self, kind => kind.depart(node, departure).await)
    }

    /// Tells the cluster now, and not at the next beat, how this node stands.
    pub async fn announce(&self) {
        on!(self, kind => kind.announce().await)
    }

    /// Whether this process still has its node's name; if not, who has.
    pub fn check_name(&self) -> anyhow::Result<()> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Redis(redis) => redis.check_name(),
        }
    }

    /// Takes the last reports and gives the lease back.
    pub async fn close(&self) {
        on!(self, kind => kind.close().await)
    }
}
