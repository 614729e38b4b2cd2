//! What the loop does about Nginx itself: its old workers, a renewed certificate, its return when it ended, and its end.

use std::{future::Future, time::Instant};

use serde_json::json;
use tokio::time;

use super::{Reconcile, decided};
use crate::{reload_pacing::Urgency, workers::NginxWorker};

impl Reconcile {
    pub(super) async fn see_to_workers(&mut self) {
        self.lingering = self.see_lingering();
        self.retire.step(&self.lingering, &mut self.leases).await;
    }

    pub(super) fn see_lingering(&self) -> Vec<NginxWorker> {
        self.rollout.nginx.ours().list().into_iter().filter(|worker| worker.lingering).collect()
    }

    /// It ended: one that the system runs is looked for on each beat from now on.
    pub(super) async fn ended(&mut self) {
        tracing::warn!("Nginx ended; it is to come back");
        self.revive().await;
    }

    /// Applies the operator's own files for the same nodes, when they changed or were refused before and may be right by now.
    pub(super) async fn renew_own_files(&mut self) {
        let now = Instant::now();
        if !self.rollout.nginx.is_away()
            && let Some(reason) = self.rollout.own_files_changed(now)
            && self.pace.spare(Urgency::Lazy, self.crowded(), now).is_ok()
        {
            self.reload(&self.served.clone(), reason).await;
        }
    }

    /// By DNS Nginx knows of the nodes before its file does, which could not be written then, maybe.
    pub(super) fn remember_again(&mut self) {
        if self.dns.is_some() && self.rollout.members() != self.served {
            let remembered = self.rollout.remember(&self.served);
            if let Err(error) = remembered {
                tracing::error!("Nginx would start with other nodes than it serves: {error:#}");
            }
        }
    }

    pub(super) async fn revive(&mut self) {
        match self.rollout.bring_back().await {
            Ok(true) => decided(json!({ "decision": "revive", "generation": self.rollout.generation() })),
            Ok(false) => {}
            Err(error) => {
                tracing::error!("Nginx could not be brought back: {error:#}");
                time::sleep(std::time::Duration::from_millis(500)).await;
            }
        }
    }

    /// Ends an Nginx of its own: it takes no more connections, and the nodes are asked to move its sessions, since its end would cut
    /// them without a word. They have most of the time for it, and Nginx the rest. `at_once` ends that.
    pub(super) async fn end(mut self, at_once: impl Future<Output = ()>) {
        let grace = self.config.grace;
        if self.rollout.nginx.retire() && !grace.is_zero() {
            let workers = self.rollout.nginx.ours().list();
            tracing::info!("Nginx takes no more connections, and its sessions are moved for {grace:?} at most");
            tokio::select! {
                () = self.let_go(&workers) => {}
                () = time::sleep(grace) => tracing::warn!("cutting the sessions that are left"),
                () = at_once => tracing::warn!("cutting the sessions"),
            }
        }
        self.rollout.nginx.stop().await;
    }

    async fn let_go(&mut self, workers: &[NginxWorker]) {
        self.retire.all(workers, self.config.grace / 4 * 3, &mut self.leases).await;
        self.rollout.nginx.ended().await;
    }
}
