//! Applies a set of nodes: by DNS at once, or by a reload when one is due.

use std::time::Instant;

use serde_json::json;

use super::{FailedChange, Reconcile, cut, decided};
use crate::{
    activation::ActivationOutcome,
    dns::DnsServer,
    membership::Members,
    reload_pacing::{ReloadDelay, Urgency},
    retry::RetryDelay,
};

/// A new node is urgent if Nginx knows fewer nodes than this, and fewer than half of those that there are.
const FEW: usize = 3;

impl Reconcile {
    /// Applies a set of nodes if it is due.
    pub(super) async fn apply_if_due(&mut self, next: &Members) {
        if self.activation.active.nginx.is_away() {
            return;
        }
        let (urgency, reason) = self.urgency(next);
        if let Some(dns) = self.dns.clone() {
            return self.announce(&dns, next, reason).await;
        }
        if self.failure.as_ref().is_some_and(|failure| failure.retry.delays(next, Instant::now())) {
            return self.record_wait(next, ReloadDelay::Failed);
        }
        match self.pace.due(next, urgency, self.crowded(), Instant::now()) {
            Ok(()) => self.reload(next, reason).await,
            Err(why) => self.record_wait(next, why),
        }
    }

    /// Returns whether too many old workers linger. If the servers can't be asked to move their sessions, always false:
    /// their workers may linger for hours.
    pub(super) fn crowded(&self) -> bool {
        !self.source.is_listed() && self.lingering.len() >= self.config.lingering
    }

    /// Returns how urgent a change is, and its reason. A node that was draining has not died when it leaves.
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

    /// Applies a set by DNS, which costs no reload and need not be rare. Writes the set to the disk first: a sidecar
    /// that is killed in between must not start again with an older set than Nginx has.
    async fn announce(&mut self, dns: &DnsServer, next: &Members, reason: &'static str) {
        if let Err(error) = self.activation.active.remember(next) {
            tracing::error!("Nginx learns of the nodes by DNS, but would start with older ones: {error:#}");
        }
        dns.announce(Some(next));
        let result = if dns.wait_until_answered().await { "heard" } else { "unheard" };
        if result == "unheard" {
            tracing::error!("Nginx does not ask for the nodes by DNS, and goes on with those that it knows");
        }
        self.status.applied_by_dns(reason, result);
        let (joined, left) = self.difference(next);
        decided(json!({
            "decision": "applied by DNS", "reason": reason, "result": result, "joined": joined, "left": left, "nodes": next.len(),
        }));
        self.record_served(next);
    }

    /// Applies a set by a reload.
    pub(super) async fn reload(&mut self, next: &Members, reason: &'static str) {
        let began = Instant::now();
        let outcome = self.activation.apply(next).await;
        let seconds = began.elapsed().as_secs_f64();
        self.status.metrics.reloads.with_label_values(&[reason, outcome.label()]).inc();
        let (joined, left) = self.difference(next);
        decided(json!({
            "decision": "reload", "reason": reason, "result": outcome.label(), "generation": self.activation.active.number(),
            "seconds": (seconds * 1000.0).round() / 1000.0, "joined": joined, "left": left, "nodes": next.len(),
        }));
        self.waits = None;
        match &outcome {
            ActivationOutcome::Confirmed => {
                self.status.metrics.confirm_seconds.set(seconds);
                self.record_served(next);
                self.seen.generation = Some(self.activation.active.number());
                // The workers before the reload are old ones now.
                self.lingering = self.list_lingering();
            }
            outcome if outcome.left_workers() => {}
            _ => self.pace.give_back(),
        }
        if let Some(error) = outcome.error() {
            tracing::error!("the change is not applied ({reason}): {error:#}");
            if *next != self.served {
                self.record_failure(next, outcome.label(), error);
            }
        }
    }

    /// Records a failed change, which is tried again, since the reason may be an external one.
    fn record_failure(&mut self, next: &Members, result: &'static str, error: &anyhow::Error) {
        let (now, next) = (Instant::now(), next.clone());
        let error = cut(format!("{error:#}"));
        let retry = match self.failure.take() {
            None => RetryDelay::new(next, now),
            Some(FailedChange { mut retry, .. }) => {
                retry.failed(next, now);
                retry
            }
        };
        self.failure = Some(FailedChange { retry, result, error });
    }

    /// Records that these nodes are served.
    fn record_served(&mut self, next: &Members) {
        self.waits = None;
        self.failure = None;
        self.served.clone_from(next);
        self.draining.retain(|node| next.contains(node));
    }

    /// Records that a change waits, with one decision and one count for each reason.
    fn record_wait(&mut self, next: &Members, why: ReloadDelay) {
        if self.waits.as_ref().is_some_and(|(set, before)| set == next && *before == why) {
            return;
        }
        self.waits = Some((next.clone(), why));
        self.status.metrics.suppressed.with_label_values(&[why.label()]).inc();
        let (joined, left) = self.difference(next);
        decided(json!({ "decision": "wait", "why": why.label(), "joined": joined, "left": left }));
    }

    /// Returns the nodes that join and those that leave.
    fn difference(&self, next: &Members) -> (Members, Members) {
        (next - &self.served, &self.served - next)
    }
}
