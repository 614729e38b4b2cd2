//! The backplane of a node without a cluster: the same behaviour as in a cluster, in the memory of this process. It
//! has the same bounds. Everything is lost on restart; the new epoch tells clients so.
//!
//! The lock is held for a look-up or a change and never across an await. Accepted commands leave through a bounded
//! channel in the order of their numbers, since they are put there under the lock.

mod audit;
mod audit_logs;
mod backlogs;
mod bitmap;
mod broadcast_log;
mod budget;
mod commands;
mod counted_minutes;
mod done;
mod enrolments;
mod envelope;
mod event_log;
mod events;
mod few_targets;
mod history;
mod idempotency_keys;
mod known_terminal;
mod label_index;
mod levels;
mod listing;
mod membership;
mod missed;
mod notices;
mod operator_keys;
mod ordinals;
mod recent_changes;
mod registry;
mod reported;
mod retention;
mod revocations;
mod rollouts;
mod rosters;
mod saved_selectors;
mod selection;
mod sessions;
mod sparse_set;
mod step_times;
mod store;
mod stored_command;
mod stored_commands;
mod stored_enrolments;
mod stored_keys;
mod stored_notices;
mod stored_revocations;
mod stored_rollouts;
mod stored_tickets;
mod targets;
mod terminals;
mod tickets;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use muster_protocol::api::NodeView;
use tokio::{sync::mpsc, time};

use self::{envelope::Envelope, store::NodeStore};
use super::{
    BackplaneError, Deliver, Host, TimeSource, cursor::fresh_epoch, fleet_minute::minute_of, pacer::Pacer,
    waiters::CommandWaiters, warning_pace::WarningPace,
};
use crate::{
    config::{Bounds, Config},
    hub::{Hub, Lifecycle},
    metrics::Metrics,
    reports::Reports,
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
    metrics: Arc<Metrics>,
    clock: Arc<dyn TimeSource>,
    pacer: Pacer,
    waiters: CommandWaiters,
    /// Paces the warning, and the event, that new terminals are refused.
    refusals: WarningPace,
    store: Mutex<NodeStore>,
    underway: mpsc::Sender<Envelope>,
    /// The receiving end of `underway`, until [`run`](super::Membership::run) takes it.
    arriving: Mutex<Option<mpsc::Receiver<Envelope>>>,
}

impl MemoryBackplane {
    /// An empty store that goes by the clock of its host.
    pub fn new(config: &Config, host: Host) -> Self {
        let Host { view: node, hub, lifecycle, sessions, reports, report_interval, clock, metrics, .. } = host;
        let (underway, arriving) = mpsc::channel(UNDERWAY);
        let store = NodeStore::new(&clock, config.bounds.max_stored, !config.bounds.no_terminal_history);
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
            metrics,
            clock,
            pacer: Pacer::default(),
            waiters: CommandWaiters::default(),
            refusals: WarningPace::default(),
            store: Mutex::new(store),
            underway,
            arriving: Mutex::new(Some(arriving)),
        }
    }

    async fn deliver(&self, mut arriving: mpsc::Receiver<Envelope>) {
        while let Some(envelope) = arriving.recv().await {
            match envelope {
                Envelope::Deliver(delivery) => delivery.send(&*self.sessions, &self.pacer).await,
                Envelope::Cancel { command } => {
                    self.pacer.cancel(command);
                    self.waiters.wake(command);
                }
                Envelope::Stored { terminal, receipt } => self.sessions.event_stored(&terminal, &receipt).await,
                Envelope::End { terminal, end } => self.sessions.end_terminal(&terminal, end).await,
            }
        }
    }

    /// Removes what may be removed: each second what was stored for long enough, and each minute the terminals that were offline for
    /// too long. Writes the counters of each minute.
    async fn forget_old(&self) {
        let mut ticks = time::interval(Duration::from_secs(1));
        for second in 0u64.. {
            ticks.tick().await;
            self.end_what_is_over();
            if second % 60 == 0 {
                self.store().forget_absent(self.bounds.forget);
            }
        }
    }

    /// Tells of commands that have expired, removes what was stored for long enough, and writes the counters of a minute that has begun. Done
    /// each second while the backplane runs.
    pub fn end_what_is_over(&self) {
        let mut store = self.store();
        store.tell_ended();
        store.commands.sweep();
        store.write_minute(minute_of(self.clock.now()), self.ping);
    }

    /// Sends an envelope after those before it. The caller holds the lock of the store.
    fn send(&self, envelope: Envelope) -> Result<(), BackplaneError> {
        let busy = |_| BackplaneError::Unavailable("this node is busy with the commands before".into());
        self.underway.try_send(envelope).map_err(busy)
    }

    fn store(&self) -> MutexGuard<'_, NodeStore> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
