//! The sessions of one node, without sockets. They do what a shard and its sessions do towards the backplane, and
//! record what each session receives.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::future::BoxFuture;
use muster_node::{
    backplane::{Cursor, Deliver},
    end::SessionEnd,
    hub::{Hub, SessionInfo},
    reports::EventReceipt,
    reports::Reports,
    wire::EncodedCommand,
};
use muster_protocol::{
    CommandId, Payload, SessionId, TerminalId, api::Protocol, inbox::DrainRequest, partition::PartitionIndex,
};
use tokio::sync::mpsc;

/// What the sessions of a node ask of its backplane, done one after the other.
pub enum Job {
    Leave(Arc<SessionInfo>, SessionEnd),
    Rejoin(TerminalId, SessionId),
}

/// What terminals keep and what they received, on whichever node.
#[derive(Default)]
pub struct Delivered {
    /// The cursors that each terminal was given, oldest first.
    pub cursors: BTreeMap<TerminalId, Vec<Cursor>>,
    /// Since it was last taken: the command that each terminal received, or none for a gap.
    pub log: Vec<(TerminalId, Option<CommandId>)>,
}

pub struct Sessions {
    live: Mutex<BTreeMap<TerminalId, Live>>,
    hub: Arc<Hub>,
    reports: Arc<Reports>,
    received: Arc<Mutex<Delivered>>,
    jobs: mpsc::UnboundedSender<Job>,
    /// Jobs that were asked for and are not done.
    pub pending: AtomicUsize,
    marks: Mutex<BTreeSet<String>>,
}

/// A session.
pub struct Live {
    pub info: Arc<SessionInfo>,
    pub will: Option<Payload>,
    /// The cursor of its registration, once it is registered.
    pub cursor: Option<Cursor>,
    pub received_up_to: u64,
    /// What waits while the session joins.
    held: Option<Vec<(Arc<EncodedCommand>, bool)>>,
    seen: BTreeSet<CommandId>,
}

impl Live {
    /// The session as it is while it joins.
    pub fn hold(mut self) -> Self {
        self.held.get_or_insert_default();
        self
    }
}

impl Sessions {
    pub fn new(
        hub: Arc<Hub>,
        reports: Arc<Reports>,
        received: Arc<Mutex<Delivered>>,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Job>) {
        let (jobs, asked) = mpsc::unbounded_channel();
        let (live, pending, marks) = Default::default();
        (Arc::new(Self { live, hub, reports, received, jobs, pending, marks }), asked)
    }

    pub fn live(&self) -> MutexGuard<'_, BTreeMap<TerminalId, Live>> {
        self.live.lock().unwrap()
    }

    /// Adds a session, held until it is released. Returns the session that it replaces here.
    pub fn insert(&self, info: Arc<SessionInfo>, will: Option<Payload>) -> Option<Arc<SessionInfo>> {
        let held = Some(Vec::new());
        let live = Live { info: info.clone(), will, cursor: None, received_up_to: 0, held, seen: BTreeSet::new() };
        self.live().insert(info.terminal.clone(), live).map(|older| older.info)
    }

    /// Ends a session, if it is here.
    pub fn end(&self, terminal: &TerminalId, session: Option<SessionId>, end: SessionEnd) {
        let mut live = self.live();
        if live.get(terminal).is_some_and(|live| session.is_none_or(|session| session == live.info.session)) {
            let ended = live.remove(terminal).expect("it is here");
            self.hub.remove(terminal, ended.info.session);
            self.ask(Job::Leave(ended.info, end));
        }
    }

    pub fn ask(&self, job: Job) {
        self.pending.fetch_add(1, Ordering::SeqCst);
        self.jobs.send(job).expect("jobs are done while the node lives");
    }

    /// Whether the mark came by.
    pub fn has_mark(&self, mark: &str) -> bool {
        self.marks.lock().unwrap().contains(mark)
    }

    /// Tells a session of a gap.
    pub fn gap(&self, terminal: &TerminalId) {
        self.received.lock().unwrap().log.push((terminal.clone(), None));
    }

    /// Gives a terminal a cursor. A session that joins again counts only if the store is another one: how often it joins
    /// again after a loss depends on the order in which the node notices the loss.
    pub fn given(&self, terminal: &TerminalId, cursor: Cursor, again: bool) {
        let mut received = self.received.lock().unwrap();
        let cursors = received.cursors.entry(terminal.clone()).or_default();
        if !again || cursors.last().is_none_or(|last| last.epoch != cursor.epoch) {
            cursors.push(cursor);
        }
    }

    /// Gives a session a command that it missed.
    pub fn send_missed(&self, terminal: &TerminalId, command: &EncodedCommand, to_all: bool) {
        if let Some(live) = self.live().get_mut(terminal) {
            self.receive(live, command, to_all);
        }
    }

    /// Lets a session take live commands. It has everything up to `number`.
    pub fn release(&self, terminal: &TerminalId, number: u64) {
        if let Some(live) = self.live().get_mut(terminal) {
            live.received_up_to = number;
            let held = live.held.take().unwrap_or_default();
            held.iter().for_each(|(command, to_all)| self.send_live(live, command, *to_all));
        }
    }

    fn send_live(&self, live: &mut Live, command: &Arc<EncodedCommand>, to_all: bool) {
        if let Some(held) = &mut live.held {
            held.push((command.clone(), to_all));
        } else if command.number > live.received_up_to {
            live.received_up_to = command.number;
            self.receive(live, command, to_all);
        }
    }

    /// A `muster.v1` terminal recognizes a command that its session received before.
    fn receive(&self, live: &mut Live, command: &EncodedCommand, to_all: bool) {
        let (terminal, protocol) = (live.info.terminal.clone(), live.info.protocol);
        if !live.seen.insert(command.command) && protocol == Protocol::V1 {
            return;
        }
        let mut received = self.received.lock().unwrap();
        received.log.push((terminal.clone(), Some(command.command)));
        // The cursor of a command takes the place of the one before, of the same session.
        if let Some(cursor) = received.cursors.get_mut(&terminal).and_then(|given| given.last_mut()).filter(|_| to_all)
        {
            cursor.number = command.number;
        }
        self.reports.sent(command.command, terminal, protocol);
    }

    fn ask_to_rejoin(&self, live: &mut Live) {
        live.held.get_or_insert_default();
        self.ask(Job::Rejoin(live.info.terminal.clone(), live.info.session));
    }
}

/// Each call does nothing before its future is polled, as the shards' calls do.
impl Deliver for Sessions {
    fn broadcast(&self, command: Arc<EncodedCommand>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let mut all = self.live();
            let concerned = all.values_mut().filter(|live| live.info.partition == command.partition);
            concerned.for_each(|live| self.send_live(live, &command, true));
        })
    }

    fn send<'a>(&'a self, terminals: &'a [TerminalId], command: Arc<EncodedCommand>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut all = self.live();
            for terminal in terminals {
                if let Some(live) = all.get_mut(terminal) {
                    self.send_live(live, &command, false);
                }
            }
        })
    }

    fn end_session<'a>(&'a self, terminal: &'a TerminalId, session: SessionId, end: SessionEnd) -> BoxFuture<'a, ()> {
        Box::pin(async move { self.end(terminal, Some(session), end) })
    }

    fn end_terminal<'a>(&'a self, terminal: &'a TerminalId, end: SessionEnd) -> BoxFuture<'a, ()> {
        Box::pin(async move { self.end(terminal, None, end) })
    }

    fn rejoin(&self, partition: PartitionIndex) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let mut all = self.live();
            let concerned = all.values_mut().filter(|live| live.info.partition == partition);
            concerned.for_each(|live| self.ask_to_rejoin(live));
        })
    }

    fn rejoin_session<'a>(&'a self, terminal: &'a TerminalId, session: SessionId) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let mut all = self.live();
            let live = all.get_mut(terminal).filter(|live| live.info.session == session);
            live.map(|live| self.ask_to_rejoin(live)).is_some()
        })
    }

    fn event_stored<'a>(&'a self, _terminal: &'a TerminalId, _receipt: &'a EventReceipt) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn request_drain(&self, request: DrainRequest) {
        if let DrainRequest::Retire { worker, .. } = request {
            self.marks.lock().unwrap().insert(worker);
        }
    }
}
