//! The backplane of a node alone: the same behaviour as in a cluster, in this process's memory. Bounded as in a cluster; gone with
//! the process, and then everyone is told by another epoch.
//!
//! The lock is held for a look-up or a change, never across an await. What is accepted leaves through a bounded channel, in the
//! order of its numbers, since it is put there under the lock.

mod commands;
mod kept;
mod terminals;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use muster_protocol::{NodeId, api::NodeView, inbox::DrainRequest};
use tokio::{sync::mpsc, time};

use self::{kept::Commands, terminals::Terminals};
use super::{
    Cursor, EventView, Events, REPORT_BEAT, Refusal,
    cursor::fresh_epoch,
    envelope::{Envelope, end_sessions},
    pacer::Pacer,
};
use crate::{
    config::{Bounds, Config},
    hub::Hub,
    reports::{Batch, Happening, Reports},
};

/// Envelopes between acceptance and the shards; beyond it a command is refused.
const UNDERWAY: usize = 1024;
/// Events remembered.
const EVENTS_MAX: usize = 10_000;

/// The store of a node alone.
pub struct Local {
    node: NodeView,
    ping: Duration,
    bounds: Bounds,
    epoch: String,
    hub: Arc<Hub>,
    reports: Arc<Reports>,
    pacer: Pacer,
    store: Mutex<Store>,
    underway: mpsc::Sender<Envelope>,
    /// Taken by [`run`](Self::run).
    arriving: Mutex<Option<mpsc::Receiver<Envelope>>>,
}

#[derive(Default)]
struct Store {
    /// The number of the last accepted command.
    number: u64,
    commands: Commands,
    terminals: Terminals,
    happened: Happened,
}

/// What happened, oldest first: its kind and its data.
#[derive(Default)]
struct Happened {
    kept: VecDeque<(String, String)>,
    number: u64,
}

impl Local {
    /// An empty store.
    pub fn new(config: &Config, node: NodeView, hub: Arc<Hub>, reports: Arc<Reports>) -> Self {
        let (underway, arriving) = mpsc::channel(UNDERWAY);
        let number = Timestamp::now().as_millisecond().unsigned_abs();
        Self {
            node,
            ping: config.ping,
            bounds: config.bounds.clone(),
            epoch: fresh_epoch(),
            hub,
            reports,
            pacer: Pacer::default(),
            store: Mutex::new(Store { number, ..Store::default() }),
            underway,
            arriving: Mutex::new(Some(arriving)),
        }
    }

    pub(super) fn node(&self) -> &NodeView {
        &self.node
    }

    pub(super) async fn run(&self) {
        let Some(arriving) = self.arriving.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        tokio::join!(self.deliver(arriving), self.pacer.run(&self.hub), self.take_reports(), self.forget_absent());
    }

    async fn deliver(&self, mut arriving: mpsc::Receiver<Envelope>) {
        while let Some(envelope) = arriving.recv().await {
            match envelope {
                Envelope::Deliver(delivery) if self.pacer.take(&delivery) => {}
                Envelope::Deliver(delivery) => delivery.send(&self.hub).await,
                Envelope::Cancel { command } => self.pacer.cancel(command),
                other => end_sessions(&self.hub, other).await,
            }
        }
    }

    async fn take_reports(&self) {
        let mut beat = time::interval(REPORT_BEAT);
        loop {
            beat.tick().await;
            self.take(self.reports.drain());
        }
    }

    fn take(&self, batch: Batch) {
        let mut store = self.store();
        let Store { commands, terminals, happened, .. } = &mut *store;
        for (step, reached) in batch.all_steps() {
            if let Some(event) = commands.raise(step, &reached) {
                happened.push("command.state", event);
            }
        }
        for (command, terminal, payload) in batch.replies {
            commands.reply(command, terminal, payload);
        }
        batch.vitals.into_iter().for_each(|(terminal, vitals)| terminals.vitals(&terminal, vitals));
        batch.happenings.iter().for_each(|happening| happened.happened(happening));
    }

    async fn forget_absent(&self) {
        let mut beat = time::interval(Duration::from_secs(60));
        loop {
            beat.tick().await;
            let mut store = self.store();
            for terminal in store.terminals.forget_absent(self.bounds.forget) {
                store.commands.forget_terminal(&terminal);
            }
        }
    }

    /// Sends an envelope after those before it. Called under the lock of the store.
    fn send(&self, envelope: Envelope) -> Result<(), Refusal> {
        let busy = |_| Refusal::Unavailable("this node is busy with the commands before".into());
        self.underway.try_send(envelope).map_err(busy)
    }

    /// Their cursors carry the epoch: after a restart of this process those of before are known to be of before.
    pub(super) async fn events(&self, after: Option<&str>) -> Result<Events, Refusal> {
        let store = self.store();
        let newest = self.event_cursor(store.happened.number);
        let Some(after) = after else { return Ok(Events { newest, ..Events::default() }) };
        let after = if after == "0-0" { None } else { Some(after.parse::<Cursor>().map_err(|_| Refusal::NoCursor)?) };
        let known = after.as_ref().filter(|after| after.epoch == self.epoch).map_or(0, |after| after.number);
        let kept = &store.happened.kept;
        let first = store.happened.number - kept.len() as u64;
        let new = kept.iter().zip(first + 1..).filter(|(_, number)| *number > known);
        let kept = new.map(|((kind, data), number)| EventView {
            cursor: self.event_cursor(number),
            kind: kind.clone(),
            data: data.clone(),
        });
        let gap = after.is_some_and(|after| after.epoch != self.epoch || after.number < first);
        Ok(Events { kept: kept.collect(), newest, gap })
    }

    fn event_cursor(&self, number: u64) -> String {
        Cursor { epoch: self.epoch.clone(), number }.to_string()
    }

    pub(super) async fn nodes(&self) -> Result<Vec<NodeView>, Refusal> {
        Ok(vec![NodeView {
            state: self.hub.standing.state(),
            sessions: self.hub.len() as u64,
            renewed_at: Some(Timestamp::now()),
            ..self.node.clone()
        }])
    }

    pub(super) async fn depart(&self, node: &NodeId, departure: DrainRequest) -> Result<bool, Refusal> {
        let here = *node == self.node.id;
        if here {
            self.hub.ask(departure);
        }
        Ok(here)
    }

    pub(super) async fn announce(&self) {}

    pub(super) fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    pub(super) async fn close(&self) {}

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Happened {
    fn happened(&mut self, happening: &Happening) {
        self.push(happening.kind, happening.data());
    }

    fn push(&mut self, kind: &str, data: String) {
        self.number += 1;
        self.kept.push_back((kind.into(), data));
        if self.kept.len() > EVENTS_MAX {
            self.kept.pop_front();
        }
    }
}
