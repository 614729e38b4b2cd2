//! The part of the loop that takes care of Nginx: retires its old workers, applies the operator's own files, restarts
//! it, and stops it.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::time;

use super::{Reconcile, decided};
use crate::{connections, reload_pacing::Urgency, workers::NginxWorker};

/// How long a check of Redis, or a report, may hold up a step of the loop.
const CHECK: Duration = Duration::from_secs(1);

impl Reconcile {
    /// Retires old workers.
    pub(super) async fn retire_workers(&mut self) {
        self.activation.active.nginx.follow_upgrade();
        let workers = self.activation.active.nginx.workers();
        self.seen.connections = connections::of(&workers, &self.config);
        self.lingering = workers.into_iter().filter(|worker| worker.lingering).collect();
        // A server of another kind can't be asked to move sessions, so its workers linger for as long as their sessions
        // last.
        if let Some(leases) = self.source.leases() {
            self.retire.step(&self.lingering, leases).await;
        }
    }

    /// Looks at what Nginx runs.
    pub(super) async fn look_at_nginx(&mut self) {
        self.seen.generation = self.activation.active.running().await;
        self.seen.certificate_ends_at = self.activation.active.certificate_ends_at();
    }

    /// Reports to the nodes if a report is due. The next report makes up for a lost one.
    pub(super) async fn report(&mut self) {
        if let Some(leases) = self.source.leases()
            && self.reporter.is_due(Instant::now())
        {
            let report = self.reporter.report(self.status.state());
            let _ = time::timeout(CHECK, leases.report(&report)).await;
        }
    }

    /// Returns the old workers, oldest first.
    pub(super) fn list_lingering(&self) -> Vec<NginxWorker> {
        self.activation.active.nginx.workers().into_iter().filter(|worker| worker.lingering).collect()
    }

    /// Starts Nginx again after it has ended. With `--signal`, every step from now on looks whether the system has
    /// started it.
    pub(super) async fn restart(&mut self) {
        tracing::warn!("Nginx ended; it is started again, or with --signal waited for");
        self.revive().await;
    }

    /// Reloads Nginx with the operator's own files if they changed, or if they were refused before and a retry is due.
    pub(super) async fn apply_own_files(&mut self) {
        let now = Instant::now();
        if !self.activation.active.nginx.is_away()
            && let Some(reason) = self.activation.own_files_changed(now)
            && self.pace.take_reload(Urgency::Lazy, self.crowded(), now).is_ok()
        {
            self.reload(&self.served.clone(), reason).await;
        }
    }

    /// Writes the nodes to the disk if that failed when Nginx learned of them by DNS.
    pub(super) fn write_served_again(&mut self) {
        if self.dns.is_some() && self.activation.active.members() != self.served {
            let remembered = self.activation.active.remember(&self.served);
            if let Err(error) = remembered {
                tracing::error!("the nodes can't be written; Nginx would start with older ones: {error:#}");
            }
        }
    }

    /// Adds the connections that found no room since the last look.
    pub(super) async fn count_dropped_connections(&mut self) {
        if self.config.counts_connections {
            let dropped = self.dropped_connections.look(self.activation.active.ports.control).await;
            self.status.metrics.connections_dropped.inc_by(dropped);
        }
    }

    /// Checks that Redis is what Muster needs, and logs a change. The sidecar goes on with any Redis, since Nginx needs
    /// its nodes.
    pub(super) async fn check_redis(&mut self) {
        let Ok(Some(fitness)) = time::timeout(CHECK, self.source.check_requirements()).await else { return };
        let unfit = fitness.unfit().map(|why| why.to_string());
        match &unfit {
            Some(why) if self.redis_unfit != unfit => tracing::error!("{why}"),
            None if self.redis_unfit.is_some() => tracing::info!("Redis can be used again"),
            _ => {}
        }
        self.redis_unfit = unfit;
    }

    pub(super) async fn revive(&mut self) {
        match self.activation.active.bring_back().await {
            Ok(true) => decided(json!({ "decision": "revive", "generation": self.activation.active.number() })),
            Ok(false) => {}
            Err(error) => {
                tracing::error!("Nginx can't be started again; it is tried again: {error:#}");
                time::sleep(Duration::from_millis(500)).await;
            }
        }
    }

    /// Stops an Nginx of the sidecar's own. It accepts no more connections, and the nodes are asked to move its
    /// sessions, since its end would cut them without a close code. The nodes have three quarters of `--grace` for
    /// that, and Nginx the rest. When `at_once` completes, Nginx is stopped at once.
    pub(super) async fn end(mut self, at_once: impl Future<Output = ()>) {
        let grace = self.config.grace;
        self.manager.stopping("the sessions are moved, and Nginx is stopped");
        if self.activation.active.nginx.quit() && !grace.is_zero() {
            let workers = self.activation.active.nginx.worker_scope().list();
            tracing::info!("Nginx accepts no more connections; its sessions are moved within {grace:?}");
            tokio::select! {
                () = self.move_sessions(&workers) => {}
                () = time::sleep(grace) => tracing::warn!("--grace is over; cutting the sessions that are left"),
                () = at_once => tracing::warn!("a second signal came; cutting the sessions"),
            }
        }
        self.activation.active.nginx.stop().await;
    }

    /// Asks the nodes to move all sessions, and waits until Nginx has ended.
    async fn move_sessions(&mut self, workers: &[NginxWorker]) {
        if let Some(leases) = self.source.leases() {
            self.retire.all(workers, self.config.grace / 4 * 3, leases).await;
        }
        self.activation.active.nginx.ended().await;
    }
}
