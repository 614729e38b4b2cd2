//! The backplane of a node without a cluster: the same behaviour as in a cluster, in the memory of this process. It
//! has the same bounds. Everything is lost on restart; the new epoch tells clients so.
//!
//! The lock is held for a look-up or a change and never across an await. Accepted commands leave through a bounded
//! channel in the order of their numbers, since they are put there under the lock.

mod commands;
mod events;
mod membership;
mod registry;
mod stored_command;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use muster_protocol::{api::NodeView, partition::PartitionIndex};
use tokio::{sync::mpsc, time};

use self::{events::EventLog, registry::Terminals, stored_command::Commands};
use super::{
    BackplaneError, Deliver, Host, SystemClock, TimeSource,
    cursor::fresh_epoch,
    envelope::{Envelope, end_sessions},
    pacer::Pacer,
};
use crate::{
    config::{Bounds, Config},
    hub::{Hub, Lifecycle},
    reports::{ReportBatch, Reports},
};

/// The number of accepted commands on their way to the shards. Beyond it a command is refused.
const UNDERWAY: usize = 1024;

/// The store of a node without a cluster.
pub struct MemoryBackplane {
    node: NodeView,
    ping: Duration,
    bounds: Bounds,
    epoch: String,
    hub: Arc<Hub>,
    lifecycle: Arc<Lifecycle>,
    sessions: Arc<dyn Deliver>,
    reports: Arc<Reports>,
    report_interval: Duration,
    clock: Arc<dyn TimeSource>,
    pacer: Pacer,
    store: Mutex<Store>,
    underway: mpsc::Sender<Envelope>,
    /// The receiving end of `underway`, until [`run`](super::Membership::run) takes it.
    arriving: Mutex<Option<mpsc::Receiver<Envelope>>>,
}

struct Store {
    /// The sequence number of the last accepted command.
    number: u64,
    commands: Commands,
    terminals: Terminals,
    events: EventLog,
}

impl MemoryBackplane {
    /// An empty store that goes by the clock of this machine.
    pub fn new(config: &Config, host: Host) -> Self {
        Self::with_clock(config, host, Arc::new(SystemClock))
    }

    /// An empty store that goes by this clock.
    pub fn with_clock(config: &Config, host: Host, clock: Arc<dyn TimeSource>) -> Self {
        let Host { view: node, hub, lifecycle, sessions, reports, report_interval, .. } = host;
        let (underway, arriving) = mpsc::channel(UNDERWAY);
        let store = Store {
            number: clock.now().as_millisecond().unsigned_abs(),
            commands: Commands::new(clock.clone()),
            terminals: Terminals::new(clock.clone()),
            events: EventLog::default(),
        };
        Self {
            node,
            ping: config.ping,
            bounds: config.bounds.clone(),
            epoch: fresh_epoch(),
            hub,
            lifecycle,
            sessions,
            reports,
            report_interval,
            clock,
            pacer: Pacer::default(),
            store: Mutex::new(store),
            underway,
            arriving: Mutex::new(Some(arriving)),
        }
    }

    async fn deliver(&self, mut arriving: mpsc::Receiver<Envelope>) {
        while let Some(envelope) = arriving.recv().await {
            match envelope {
                Envelope::Deliver(delivery) if self.pacer.take(PartitionIndex(0), &delivery) => {}
                Envelope::Deliver(delivery) => delivery.send(PartitionIndex(0), &*self.sessions).await,
                Envelope::Cancel { command } => self.pacer.cancel(command),
                other => end_sessions(&*self.sessions, other).await,
            }
        }
    }

    async fn take_reports(&self) {
        let mut ticks = time::interval(self.report_interval);
        loop {
            ticks.tick().await;
            self.take(self.reports.drain());
        }
    }

    fn take(&self, batch: ReportBatch) {
        let mut store = self.store();
        let Store { commands, terminals, events, .. } = &mut *store;
        for (step, reached) in batch.all_states() {
            if let Some(event) = commands.raise(step, &reached) {
                events.push("command.state", event);
            }
        }
        for (command, terminal, payload) in batch.replies {
            commands.reply(command, terminal, payload);
        }
        batch.vitals.into_iter().for_each(|(terminal, vitals)| terminals.vitals(&terminal, vitals));
        batch.events.iter().for_each(|event| events.record(event));
    }

    async fn forget_absent(&self) {
        let mut ticks = time::interval(Duration::from_secs(60));
        loop {
            ticks.tick().await;
            let mut store = self.store();
            for terminal in store.terminals.forget_absent(self.bounds.forget) {
                store.commands.forget_terminal(&terminal);
            }
        }
    }

    /// Sends an envelope after those before it. The caller holds the lock of the store.
    fn send(&self, envelope: Envelope) -> Result<(), BackplaneError> {
        let busy = |_| BackplaneError::Unavailable("this node is busy with the commands before".into());
        self.underway.try_send(envelope).map_err(busy)
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
