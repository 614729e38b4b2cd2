//! From the set that is wanted to the set that is served: by DNS at once, or by a reload when one is due.

use std::time::Instant;

use serde_json::json;

use super::{Failure, Reconcile, decided};
use crate::{
    dns::DnsServer,
    membership::Members,
    reload_pacing::{ReloadDelay, Urgency},
    retry::RetryDelay,
    rollout::RolloutOutcome,
};

/// Fewer nodes than this in the file, and than half of those there are, and a new one is urgent.
const FEW: usize = 3;
/// The error of a change is shown up to this length, in bytes. Nginx's own is a line or two.
const ERROR_MAX: usize = 1000;

impl Reconcile {
    /// Applies a set if it is time to.
    pub(super) async fn consider(&mut self, next: &Members) {
        if self.rollout.nginx.is_away() {
            return;
        }
        let (urgency, reason) = self.urgency(next);
        if let Some(dns) = self.dns.clone() {
            return self.tell(&dns, next, reason).await;
        }
        if self.failure.as_ref().is_some_and(|failure| failure.retry.delays(next, Instant::now())) {
            return self.wait(next, ReloadDelay::Failed);
        }
        match self.pace.due(next, urgency, self.crowded(), Instant::now()) {
            Ok(()) => self.reload(next, reason).await,
            Err(why) => self.wait(next, why),
        }
    }

    pub(super) fn crowded(&self) -> bool {
        self.lingering.len() >= self.config.lingering
    }

    fn urgency(&self, next: &Members) -> (Urgency, &'static str) {
        let died = self.served.difference(next).any(|node| !self.draining.contains(node));
        let few = self.served.len() < FEW.min(next.len().div_ceil(2));
        match () {
            () if self.served.is_empty() => (Urgency::Now, "first"),
            () if died => (Urgency::Urgent, "died"),
            () if few => (Urgency::Urgent, "few"),
            () if self.served.is_subset(next) => (Urgency::Lazy, "joined"),
            () => (Urgency::Lazy, "left"),
        }
    }

    /// A change that Nginx learns by asking costs nothing and need not be rare. It is on the disk first: a sidecar that is killed in
    /// between must not come back with one that Nginx has left behind.
    async fn tell(&mut self, dns: &DnsServer, next: &Members, reason: &'static str) {
        if let Err(error) = self.rollout.remember(next) {
            tracing::error!("Nginx is told of the nodes, and would start with others: {error:#}");
        }
        dns.tell(Some(next));
        let result = if dns.heard().await { "heard" } else { "unheard" };
        if result == "unheard" {
            tracing::error!("Nginx does not ask for the nodes, and serves those that it knows");
        }
        self.status.applied_by_dns(reason, result);
        let (joined, left) = self.difference(next);
        decided(json!({
            "decision": "applied by DNS", "reason": reason, "result": result, "joined": joined, "left": left, "nodes": next.len(),
        }));
        self.serve(next);
    }

    pub(super) async fn reload(&mut self, next: &Members, reason: &'static str) {
        let began = Instant::now();
        let outcome = self.rollout.apply(next).await;
        let seconds = began.elapsed().as_secs_f64();
        self.status.metrics.reloads.with_label_values(&[reason, outcome.label()]).inc();
        let (joined, left) = self.difference(next);
        decided(json!({
            "decision": "reload", "reason": reason, "result": outcome.label(), "generation": self.rollout.generation(),
            "seconds": (seconds * 1000.0).round() / 1000.0, "joined": joined, "left": left, "nodes": next.len(),
        }));
        self.waits = None;
        match &outcome {
            RolloutOutcome::Confirmed => {
                self.status.metrics.confirm_seconds.set(seconds);
                self.serve(next);
                // The workers before are old ones now.
                self.lingering = self.see_lingering();
            }
            RolloutOutcome::RolledBack { reloaded: true, .. } => {}
            _ => self.pace.spared(),
        }
        if let Some(error) = outcome.error() {
            tracing::error!("not applied: {error:#}");
            if *next != self.served {
                self.fail(next, outcome.label(), error);
            }
        }
    }

    /// What failed may have failed for a reason from outside, so that it is tried again.
    fn fail(&mut self, next: &Members, result: &'static str, error: &anyhow::Error) {
        let (now, next) = (Instant::now(), next.clone());
        let mut error = format!("{error:#}");
        error.truncate(error.floor_char_boundary(ERROR_MAX));
        let retry = match self.failure.take() {
            None => RetryDelay::new(next, now),
            Some(Failure { mut retry, .. }) => {
                retry.failed(next, now);
                retry
            }
        };
        self.failure = Some(Failure { retry, result, error });
    }

    fn serve(&mut self, next: &Members) {
        self.waits = None;
        self.failure = None;
        self.served.clone_from(next);
        self.draining.retain(|node| next.contains(node));
    }

    /// A change that waits is worth one line and one count.
    fn wait(&mut self, next: &Members, why: ReloadDelay) {
        if self.waits.as_ref().is_some_and(|(set, before)| set == next && *before == why) {
            return;
        }
        self.waits = Some((next.clone(), why));
        self.status.metrics.suppressed.with_label_values(&[why.label()]).inc();
        let (joined, left) = self.difference(next);
        decided(json!({ "decision": "wait", "why": why.label(), "joined": joined, "left": left }));
    }

    /// Who joins and who leaves.
    fn difference(&self, next: &Members) -> (Members, Members) {
        (next - &self.served, &self.served - next)
    }
}
